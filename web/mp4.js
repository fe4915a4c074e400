// Fragmented MP4 as it comes over the net: whole boxes, the codec's name, a fragment's time.

const names = new TextDecoder("latin1");

function type(bytes, at) {
  return names.decode(bytes.subarray(at + 4, at + 8));
}

// Cuts a stream of bytes into boxes.
export class Boxes {
  constructor() { this.rest = new Uint8Array(0); }

  // The boxes that are whole now, as {type, bytes}.
  push(chunk) {
    let bytes = chunk;
    if (this.rest.length) {
      bytes = new Uint8Array(this.rest.length + chunk.length);
      bytes.set(this.rest);
      bytes.set(chunk, this.rest.length);
    }
    const boxes = [];
    let at = 0;
    while (at + 8 <= bytes.length) {
      const size = new DataView(bytes.buffer, bytes.byteOffset + at, 4).getUint32(0);
      if (size < 8 || size > 1 << 26) throw new Error("this is no MP4");
      if (at + size > bytes.length) break;
      boxes.push({ type: type(bytes, at), bytes: bytes.subarray(at, at + size) });
      at += size;
    }
    this.rest = bytes.slice(at);
    return boxes;
  }
}

function find(bytes, name) {
  const code = [...name].map(c => c.charCodeAt(0));
  for (let i = 0; i + 4 <= bytes.length; i++)
    if (bytes[i] === code[0] && bytes[i + 1] === code[1] && bytes[i + 2] === code[2] && bytes[i + 3] === code[3]) return i + 4;
  return -1;
}

// "avc1.64001e" from the header's avcC (profile, constraints, level).
export function codec(moov) {
  const at = find(moov, "avcC");
  if (at < 0) return null;
  return "avc1." + [1, 2, 3].map(i => moov[at + i].toString(16).padStart(2, "0")).join("");
}

// Seconds of CLOCK_MONOTONIC of a fragment's picture.
export function time(moof) {
  const at = find(moof, "tfdt");
  return at < 0 ? NaN : Number(new DataView(moof.buffer, moof.byteOffset + at + 4, 8).getBigUint64(0)) / 1e6;
}
