#!/usr/bin/python3
"""training/ on made-up data: every data set's reader, masked labels, TiAug's ranges, and recipes from data to the C engine. Writes TAP.

    test_training.py THERMOFACE SOURCE
"""
import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import tap

THERMOFACE, SOURCE = sys.argv[1], Path(sys.argv[2])
tap.skip_without(("numpy", "torch", "cv2", "onnx", "matplotlib"))
folder = tempfile.TemporaryDirectory(prefix="tf-training-")
HOME = Path(folder.name)
os.environ.update(TF_TRAINING_OUT=str(HOME / "out"), TF_SHARED=str(HOME / "shared"), OMP_WAIT_POLICY="PASSIVE")
sys.path[:0] = [str(Path(__file__).resolve().parent), str(SOURCE / "training")]
sys.dont_write_bytecode = True

import warnings  # noqa: E402

warnings.filterwarnings("ignore")
import numpy as np  # noqa: E402
import torch  # noqa: E402

import adapters  # noqa: E402
import madeup  # noqa: E402
import orders  # noqa: E402
import tiaug  # noqa: E402
from tap import check  # noqa: E402

DATA = HOME / "shared" / "data"
VISIBLE = DATA / "visible68"


def shape_of(p68):
    """A face's own axes: points in eye distances from the middle between the outer corners."""
    e = p68[45] - p68[36]
    d = np.linalg.norm(e)
    e = e / d
    q = (p68 - (p68[36] + p68[45]) / 2) / d
    return np.stack([q @ e, q @ np.array([-e[1], e[0]])], 1)


def whole(spec, split, order, count=None):
    """What every set must give, whatever its format."""
    s = adapters.load(spec, split)
    check(s.order == order and s.points.shape[1:] == (orders.count(order), 2), f"{s.order} {s.points.shape}")
    check(len(s) == len(s.points) == len(s.boxes) == len(s.subject) > 0, "lengths differ")
    check(count is None or len(s) == count, f"{len(s)} faces")
    images, points, boxes = s.crops()
    check(images.shape == (len(s), 224, 224) and images.dtype == np.uint8, images.shape)
    side = (boxes[:, 2:] - boxes[:, :2]).max(1)
    check(np.allclose(side, 112, atol=0.1), f"the box is not half of the crop: {side}")
    check(np.array_equal(np.isnan(points), np.isnan(s.points)), "a missing label did not stay missing")
    p = orders.convert(s.points, s.order, "ibug68") if order != "thermal6" and order != "charlotte72" else None
    for k in range(len(s) if p is not None else 0):
        ok = np.isfinite(p[k, :, 0])
        if not ok[[36, 45]].all():
            continue
        d = np.abs(shape_of(p[k]) - shape_of(madeup.SHAPE))[ok]
        check(d.max() < 0.02, f"{spec}: point {np.nonzero(ok)[0][d.max(1).argmax()]} lies wrong by {d.max():.3f}")
    return s, images, points


def reads_visible68():
    s, images, _ = whole("visible68:" + str(madeup.visible68(HOME / "v", {"train": 3}, missing=True)), "train", "ibug68", 3)
    check(np.isnan(s.points[0, 5]).all() and np.isfinite(s.points[1]).all(), "the missing point is not NaN")
    check(images.std() > 20, "flat pictures")


def reads_thermal6():
    s, images, points = whole("thermal6", "test", "thermal6", 2)
    check(s.images[0].shape == (160, 120) and s.images[0].dtype == np.uint16, "not upright counts")
    for im, p in zip(images, points):                # eyes are darker than the cheeks below them
        for x, y in p[:2]:
            check(int(im[int(y), int(x)]) < int(im[int(y) + 16, int(x)]), "eyes are not where they should be")
    k = orders.convert(s.points, "thermal6", "kaggle15")
    check(np.isfinite(k[:, :, 0]).sum() == 5 + 3, "five of Kaggle's points are among the six, three under a mask")


def reads_kaggle():
    path = madeup.kaggle(HOME / "k", orders.KAGGLE_COLUMNS, lambda p: orders.convert(p, "ibug68", "kaggle15"))
    parts = [adapters.load(f"kaggle:{path}", s) for s in ("train", "val", "test")]
    check(sum(map(len, parts)) == 30, "rows are lost between the splits")
    points = np.concatenate([p.points for p in parts])
    check(np.isnan(points[:, :, 0]).sum() == 1 + 8, f"{np.isnan(points[:, :, 0]).sum()} missing points")
    whole(f"kaggle:{path}", "train", "kaggle15")


def reads_tfl():
    path = madeup.tfl(HOME / "t")
    parts = {s: whole(f"tfl:{path}", s, "ibug68")[0] for s in ("train", "val", "test")}
    check(sum(map(len, parts.values())) == 12, "persons are lost")
    names = [set(p.subject) for p in parts.values()]
    check(not names[0] & names[1] and not names[0] & names[2], "a person in two splits")
    check(sum(np.isnan(p.points[:, 30, 0]).sum() for p in parts.values()) == 1, "null is not NaN")
    check(parts["train"].images[0].dtype == np.float32 and parts["train"].images[0].max() < 40, "not temperatures")


def reads_sftl54():
    path = madeup.sftl54(HOME / "s")
    for split in ("train", "val", "test"):
        s, _, _ = whole(f"sftl54:{path}", split, "sftl54", 2)
    p = orders.convert(s.points, "sftl54", "ibug68")
    check(np.isfinite(p[:, :48]).all() and np.isnan(p[:, 60]).all(), "what has no counterpart must be NaN")


def reads_wflw():
    path = madeup.wflw(HOME / "w", orders.WFLW_TO_68)
    n = [len(whole(f"wflw:{path}", s, "wflw98")[0]) for s in ("train", "val", "test")]
    check(n[0] + n[1] == 24 and n[2] == 3, n)


def reads_charlotte():
    s, _, _ = whole(f"charlotte:{madeup.charlotte(HOME / 'c')}", "train", "charlotte72")
    check(s.images[0].dtype == np.uint16, "not 16 bits")


def bad_data_is_named():
    for spec, words in (("nothing:/x", "not known"), ("wflw", "needs its folder"), (f"tfl:{HOME / 'k'}", "no labelled faces")):
        try:
            adapters.load(spec, "train")
        except ValueError as e:
            check(words in str(e), e)
        else:
            raise AssertionError(f"{spec} was read")
    (HOME / "w/WFLW_annotations/list_98pt_rect_attr_train_test/list_98pt_rect_attr_test.txt").write_text("1 2 3\n")
    try:
        adapters.load(f"wflw:{HOME / 'w'}", "test")
    except ValueError as e:
        check(":1:" in str(e) and "207" in str(e), e)
    else:
        raise AssertionError("a short line was read")


def missing_labels_are_masked():
    from points import Points
    rec = Points.__new__(Points)
    u = torch.rand(4, 15, 2)
    guess = torch.rand(4, 30, requires_grad=True)
    u[1, 3] = u[2, 7] = float("nan")
    loss = rec.loss(lambda x: [guess], (torch.zeros(4, 1, 96, 96), u))
    loss.backward()
    g = guess.grad.view(4, 15, 2)
    check(torch.isfinite(loss) and torch.isfinite(g).all(), "NaN in the loss")
    check((g[1, 3] == 0).all() and (g[2, 7] == 0).all(), "a missing label has a gradient")
    check((g != 0).sum() == 4 * 30 - 4, "a label that is there has none")
    full = torch.nn.functional.smooth_l1_loss((guess.view(4, 15, 2) * 96)[torch.isfinite(u)], (u * 96)[torch.isfinite(u)])
    check(torch.allclose(loss, full), "not the mean over the labels that are there")


def tiaug_keeps_its_ranges():
    """noise, area, level and number of occlusions, on a face of known size"""
    rng, s = np.random.default_rng(2), tiaug.Settings(share=1.0)
    face = np.zeros((96, 96), np.float32)
    face[20:80, 24:72] = 1
    counts, shares = set(), []
    for _ in range(300):
        masks = tiaug.occlusions(face, s, rng)
        counts.add(len(masks))
        shares.append(sum(m.sum() / 255 for m in masks) / face.sum())
    check(counts == {1, 2}, counts)
    check(max(shares) <= 0.4 + 1e-6 and min(shares) < 0.05 and np.median(shares) > 0.08, (min(shares), np.median(shares), max(shares)))
    sizes = {len(tiaug.polygon((0, 0), 10, s, rng)) for _ in range(600)}
    check(max(sizes) == 30 and min(sizes) == 3, f"{min(sizes)} to {max(sizes)} vertices (two become a bar of four)")
    torch.manual_seed(1)
    x = torch.linspace(0, 1, 96).view(1, 1, 1, 96).expand(64, 1, 96, 96).clone()
    y = tiaug.apply(x, torch.from_numpy(face).expand(64, 1, -1, -1), tiaug.Settings(noise_c=0, share=1.0), rng)
    check(y.min() < -0.5 and y.max() > 1.5 and y.min() >= -1 and y.max() <= 2, (y.min(), y.max()))
    y = tiaug.apply(x, torch.zeros(64, 1, 96, 96), s, rng)      # noise alone: up to 0.1 °C of a span of 10
    sd = (y - x).flatten(1).std(1)
    check(0.008 < sd.max() < 0.0105 and sd.min() < 0.002, (sd.min(), sd.max()))


def command(*arguments):
    r = subprocess.run([THERMOFACE, *map(str, arguments)], capture_output=True, text=True, timeout=300)
    check(r.returncode == 0, r.stderr)
    return json.loads(r.stdout)


def trained(recipe, *arguments):
    """train.py and quantise.py as a person calls them; the log, the scores, and the file."""
    import quantise
    import train
    out = HOME / "out" / (f"quick-{recipe}" if "--quick" in arguments else recipe)
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        for module, more in ((train, arguments), (quantise, [a for a in arguments if a == "--quick"])):
            if module is quantise and "kind=self" in arguments:
                break
            sys.argv = [module.__file__, recipe, "--threads", "1", *[a for a in more if a != "kind=self"]]
            module.main()
    for name in ("last.pt", "log.json", "curves.png", "sheet.png", "config.json"):
        check((out / name).stat().st_size > 100, f"{name} is missing")
    log = json.loads((out / "log.json").read_text())
    check((len(log) < 2 or log[-1]["loss"] < log[0]["loss"]) and all(r["seconds"] >= 0 for r in log), log)
    scores = json.loads((out / "int8.json").read_text()) if (out / "int8.json").exists() else None
    return text.getvalue(), log, scores, out / f"{recipe}.onnx"


def heat_loss_is_its_own_gradient():
    """the maps' loss and gradient are what autograd makes of the plain formula"""
    import losses as L
    torch.manual_seed(4)
    h = (3 * torch.randn(5, 68, 28, 28)).requires_grad_()
    u = torch.rand(5, 68, 2)
    u[0, 3], u[1, 7, 0] = float("nan"), 1.3
    weight, face = torch.rand(5) + 0.5, torch.tensor([1.0, 1, 1, 1, 0])
    L.landmark_loss(h, u, weight, face).backward()
    ours, h.grad = h.grad.clone(), None
    ok = torch.isfinite(u).all(2) & (u > -0.01).all(2).nan_to_num() & (u < 1.01).all(2)
    v = torch.nan_to_num(u, nan=0.5).clamp(0, 1)
    m = ok.float() * face[:, None]
    logp = torch.log_softmax(h.flatten(2), 2)
    target = L.gaussians(v[..., 1], 28, 1.0)[..., :, None] * L.gaussians(v[..., 0], 28, 1.0)[..., None, :]
    d = (L.soft_argmax(h) - v).norm(dim=2) * 28
    per = (-0.35 * (target.flatten(2) * logp).sum(2) + d + 0.3 * torch.log1p(d / 0.3)) * m
    plain = (per.sum(1) * weight).sum() / (m.sum(1) * weight).sum() + ((-logp.mean(2)).mean(1) * (1 - face)).sum() / 5
    level = h.mean((2, 3), True)
    deep = ((h - level).detach().amax((2, 3), True) - L.DEEP - (h - level)).clamp(min=0)
    check(deep.max() > 0, "nothing lies deep")
    (plain + L.ANCHOR * h.square().mean() + L.FLOOR * deep.square().mean()).backward()
    off = (ours - h.grad).abs().max() / h.grad.abs().max()
    check(off < 1e-4, f"gradients differ by {off:.2e} of the largest")


def processes_share_a_batch():
    """two processes end a step with the same gradient: the mean of theirs"""
    import train
    out = torch.zeros(2, 6).share_memory_()
    team = train.Team(2, 6)
    p = [torch.nn.Parameter(torch.zeros(4)), torch.nn.Parameter(torch.zeros(1, 2))]
    team.start()
    try:
        for step in range(3):
            for q in p:
                q.grad = torch.full_like(q, float(team.rank + 10 * step))
            team.share(p)
        out[team.rank] = torch.cat([q.grad.flatten() for q in p])
        team.barrier.wait(60)
    finally:
        if team.rank:
            os._exit(0)
    os.wait()
    check((out == 20.5).all(), out)


def reshaped_faces_carry_their_points():
    """a spot on each point of a thermal face lies on the new shape's point afterwards; shapes are fitted by a similarity"""
    import augment as A
    rng = np.random.default_rng(3)
    q = torch.from_numpy(np.stack([madeup.points(rng, 112, 112, 34) for _ in range(4)])).float()
    s = q + torch.from_numpy(rng.normal(0, 1.5, (4, 1, 2))).float() + 0.06 * (q - q.mean(1, True))
    for k in (8, 30, 36, 45, 48):
        ax = torch.arange(112, dtype=torch.float32)
        spot = A.blob(ax[None, None, None, :], ax[None, None, :, None], q[:, k], torch.full((4, 1, 1, 1), 2.0))
        y = A.reshaped(spot, q, s)[:, 0]
        y = y / y.sum((1, 2), True)
        at = torch.stack([(y.sum(1) * ax).sum(1), (y.sum(2) * ax).sum(1)], 1)
        check((at - s[:, k]).norm(dim=1).max() < 0.8, f"point {k} lies {(at - s[:, k]).norm(dim=1).max():.2f} pixels off")
    turned = torch.view_as_real(torch.view_as_complex(q.contiguous()) * complex(0.5, 0.2)) + 9
    fitted, left = A.fitted(torch.stack([q.flip(0) * 1.0, turned], 1), q)
    check((fitted - q).abs().max() < 1e-3 and left.max() < 1e-3, left)


def beside_dots(rec, points, batches):
    """Pictures of one bright dot; labels lie an eighth of the face right of it. How far right they are in `batches` of the recipe, which
    gives pictures and places [B, 2], in sides of the window."""
    right = (rec.train.boxes if hasattr(rec.train, "boxes") else rec.boxes).numpy()
    right = 0.125 * (right[:, 2:] - right[:, :2]).max(1)
    for image, (px, py), r in zip(rec.train.images, points, right):
        y, x = np.mgrid[:image.shape[0], :image.shape[1]]
        image[:] = 20 + 230 * np.exp(-((x - px + r) ** 2 + (y - py) ** 2) / (2 * 5.0 ** 2))
    (rec.right if hasattr(rec, "right") else rec.train.right)[:] = torch.from_numpy(right)
    out = []
    for x, v in batches():
        size = x.shape[-1]
        for picture, q in zip(x[:, 0].numpy(), v.numpy() * size - 0.5):
            row, column = np.argwhere(picture > picture.max() - 0.02).mean(0)
            if picture.max() > 0.9 and abs(row - q[1]) < 6:
                out.append((q[0] - column) / size)
    return np.array(out)


def labels_stay_right_when_mirrored():
    """labels that lie right of the picture are learnt there in mirrored windows, too; of a thermal look, where the picture is"""
    import train
    from landmarks import Landmarks
    from points import Points
    def cfg(*more):
        return train.arguments([*more, "--quick", "--batch", "16"])
    rec = Landmarks(cfg("landmarks68", "--look", "0", "--empty", "0", "--mild", "--steady"))
    off = {1.5: beside_dots(rec, rec.train.points[:, 30].copy(), lambda: ((x, u[:, 30]) for x, u, _, _ in rec.epoch()))}
    rec.cfg.look = 1.0
    check((rec.batch(torch.arange(16))[4] == 0).all(), "a thermal look was learnt as labelled")
    rec = Points(cfg("b-resnet18"))
    off[1.3] = beside_dots(rec, rec.train.p68[:, 30].numpy().copy(), lambda: ((x, u[:, 10]) for x, u, _, _ in rec.epoch()))
    for scale, d in off.items():
        spread = np.quantile(d, [0.1, 0.5, 0.9]) * scale
        check(len(d) > 20 and abs(spread[1] - 0.125) < 0.02 and spread[0] > 0.07 and spread[2] < 0.18, f"{len(d)}: {spread}")


def masks_cover_mouths():
    """a cloth mask hides mouth and chin and leaves eyes and brows"""
    import augment as A
    rng = np.random.default_rng(5)
    q = torch.from_numpy(np.stack([madeup.points(rng, 112, 112, 34) for _ in range(8)])).float()
    ax = torch.arange(112, dtype=torch.float32)
    x = 5 + (ax[None, None, None, :] % 7 + ax[None, None, :, None] % 5).expand(8, 1, 112, 112).clone()
    check(torch.equal(A.cloth_masks(x, q, 0.0), x), "nobody was to wear one")
    y = A.cloth_masks(x, q, 1.0)
    check(torch.isfinite(y).all() and y.min() > 3 and y.max() < 17, (y.min(), y.max()))
    at = lambda picture, k: picture[torch.arange(8), 0, q[:, k, 1].round().long(), q[:, k, 0].round().long()]
    for k in (48, 51, 57, 62):
        check((at(y, k) != at(x, k)).all(), f"point {k} is seen")
    for k in (17, 19, 24, 26, 36, 37, 44, 45):
        check(torch.equal(at(y, k), at(x, k)), f"point {k} is hidden")


def report_and_registration():
    """the model card's tables by the C engine, and how far labels lie beside the picture"""
    import report
    import registration
    model = HOME / "out" / "quick-landmarks68" / "landmarks68.onnx"
    for module, more, rows in ((report, ["--thermoface", THERMOFACE, "--split", "val", "--limit", "6"],
                                ("| all | 6 |", "| face of 24 px | 6 |", "| mask painted on | 6 |", "| glasses painted on | 6 |",
                                 "| box off by 10 %, read three times | 6 |", "| jaw |")),
                               (registration, ["--splits", "val", "--limit", "6"], ("| val | helen | 3 |", "| val | ytf | 3 |", "| val | all | 6 |"))):
        text = io.StringIO()
        sys.argv = [module.__file__, "--model", str(model), *more]
        with contextlib.redirect_stdout(text):
            module.main()
        for row in rows:
            check(row in text.getvalue(), f"no '{row}' in {text.getvalue()}")


def own_network_with_weak_labels():
    """the shipped recipe, with labelled thermal faces in other shapes, to int8, and the same score from the C engine"""
    rng = np.random.default_rng(12)
    p = np.stack([madeup.points(rng, 120, 160, 34) for _ in range(24)]).astype(np.float32)
    frames = np.stack([(30000 + 600 * madeup.picture(q, 120, 160, rng)).astype(np.int32) for q in p])
    np.savez(HOME / "weak.npz", frames=frames, points=p, weight=np.ones(24, np.float32), rec=np.array(["none"] * 24))
    _, log, s, model = trained("landmarks68", "--quick", "--batch", "8", "--pseudo", f"{HOME / 'weak.npz'}:0.5", "--reshape")
    c = command("eval", "visible68", VISIBLE / "val.csv", "--images", VISIBLE / "images", "--model", model, "--json")
    check(c["images"] == 16 and abs(c["nme"] - s["int8"]["nme"]) < 0.2, (c, s["int8"]))


def folds_are_judged_apart():
    """crossval.py gives each fold's file its own recordings' faces, and the mean over all; a fold without a file needs --init"""
    import crossval
    models = Path(crossval.HERE).parent / "models"
    folds = HOME / "folds"
    for i in range(2):
        (folds / f"fold{i}").mkdir(parents=True)
        (folds / f"fold{i}" / "landmarks68.onnx").symlink_to(models / "landmarks68.onnx")
    text = io.StringIO()
    sys.argv = [crossval.__file__, "--folds", "2", "--out", str(folds), "--thermoface", THERMOFACE]
    with contextlib.redirect_stdout(text):
        crossval.main()
    *rows, mean = [json.loads(line[line.index("{"):]) for line in text.getvalue().splitlines()]
    check(len(rows) == 2 and [r["faces"] for r in rows] == [1, 1] and mean["faces"] == 2, text.getvalue())
    for k in ("found", "nme", "fail15", "false_per_1000"):
        check(abs(mean[k] - (rows[0][k] + rows[1][k]) / 2) < 0.001, (k, text.getvalue()))
    check(mean["found"] == 100, mean)
    sys.argv[2] = "3"
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            crossval.main()
        check(False, "a missing fold was not noticed")
    except SystemExit as e:
        check("--init" in str(e), e)


def quick_landmarks_end_to_end():
    """15 points with CLAHE: data, training, int8, ONNX, and the same score from the C engine"""
    _, log, s, model = trained("b-simple", "--quick", "--batch", "8")
    check(abs(s["int8"]["mae"] - s["float"]["mae"]) < 0.3, s)
    c = command("eval", "points", VISIBLE / "val.csv", "--images", VISIBLE / "images", "--model", model, "--json")
    check(c["images"] == 16 and abs(c["mae"] - s["int8"]["mae"]) < 0.05, (c, s["int8"]))
    meta = command("model", model, "--json")["metadata"]
    check(meta["tf.order"] == "kaggle15" and meta["tf.decode"] == "points" and "clahe=2" in meta["tf.normalise"]
          and "visible68" in meta["tf.data"], meta)


def pretext_then_landmarks():
    """A: pretext tasks on unlabelled frames, weights taken over by the 68-point network, a run that goes on where it stopped"""
    rng = np.random.default_rng(11)
    p = np.stack([madeup.points(rng, 120, 160, 34) for _ in range(160)])
    frames = np.stack([(30000 + 600 * madeup.picture(q, 120, 160, rng)).astype(np.int32) for q in p])
    (HOME / "out").mkdir(exist_ok=True)
    np.savez(HOME / "out" / "thermal-faces.npz", frames=frames, points=p, rec=np.repeat(["a", "b", "c", "d"], 40),
             index=np.tile(np.arange(40) * 4, 4))
    _, log, _, _ = trained("a-pretext", "--epochs", "2", "--batch", "16", "kind=self")
    check(set(log[-1]) >= {"rotation", "recording", "mape5"}, log)
    text, _, _, _ = trained("a-landmarks68", "--epochs", "3", "--batch", "8")
    check("48 of 52 tensors" in text, text)
    text, log, s, model = trained("a-landmarks68", "--epochs", "6", "--batch", "8")
    check("resumed at epoch 3" in text and log[-1]["epoch"] == 5, text)
    check("t_nme" in s["int8"], "the thermal points are not scored")
    c = command("eval", "visible68", VISIBLE / "val.csv", "--images", VISIBLE / "images", "--model", model, "--json")
    check(abs(c["nme"] - s["int8"]["nme"]) < 0.1, (c, s["int8"]))


def quick_segmentation_end_to_end():
    """C: regions drawn as the command draws them, gates, SAM-CL, and the same mIoU from the C engine"""
    _, _, s, model = trained("c-attention-unet", "--quick", "--batch", "16")
    c = command("eval", "segmentation", VISIBLE / "val.csv", "--images", VISIBLE / "images", "--model", model, "--json")
    check(abs(c["miou"] - s["int8"]["miou"]) < 0.5, (c, s["int8"]))


def nose_views_and_branches():
    """D: points by view, Inception modules (concatenation of different scales) through the engine"""
    _, _, s, model = trained("d-nose-frontal", "--quick", "--batch", "16")
    c = command("eval", "points", VISIBLE / "val.csv", "--images", VISIBLE / "images", "--model", model, "--json")
    check(abs(c["mae"] - s["int8"]["mae"]) < 0.05, (c, s["int8"]))
    p = madeup.SHAPE[None].repeat(3, 0)
    p[1, 27, 0], p[2, 27, 0] = 0.2, 0.5
    check([list(orders.in_view(p, v)) for v in ("frontal", "base", "side")]
          == [[True, False, False], [True, True, False], [False, False, True]], orders.yaw(p))


def residual_network_by_engine():
    """B: ResNet-18's sums, global mean and dense layer give the engine's result"""
    _, _, s, model = trained("b-resnet18", "--quick", "--batch", "16")
    c = command("eval", "points", VISIBLE / "val.csv", "--images", VISIBLE / "images", "--model", model, "--json")
    check(abs(c["mae"] - s["int8"]["mae"]) < 0.05, (c, s["int8"]))


def main():
    torch.set_num_threads(1)
    madeup.visible68(VISIBLE, {"train": 40, "val": 16})
    madeup.thermal6(DATA / "thermal6")
    tests = [reads_visible68, reads_thermal6, reads_kaggle, reads_tfl, reads_sftl54, reads_wflw, reads_charlotte, bad_data_is_named,
             missing_labels_are_masked, tiaug_keeps_its_ranges, heat_loss_is_its_own_gradient,
             processes_share_a_batch, reshaped_faces_carry_their_points, labels_stay_right_when_mirrored, masks_cover_mouths,
             own_network_with_weak_labels, folds_are_judged_apart, report_and_registration, quick_landmarks_end_to_end, pretext_then_landmarks,
             quick_segmentation_end_to_end, nose_views_and_branches, residual_network_by_engine]
    status = tap.run(tests)
    folder.cleanup()
    sys.exit(status)


if __name__ == "__main__":
    main()
