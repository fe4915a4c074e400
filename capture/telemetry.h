/* Telemetry parsers of the camera-format table. Each reads a whole buffer of its row; false when the rows
 * hold none. */
#ifndef TF_CAPTURE_TELEMETRY_H
#define TF_CAPTURE_TELEMETRY_H

#include "capture/format.h"

/*
 * FLIR Lepton: rows A, B, C of 80 words below or above the picture: three lines of 80 words (Lepton 2), or
 * two lines of 160 words that hold A B and C D (Lepton 3).
 */
bool tf_telemetry_lepton2_footer(const uint8_t *data, size_t size, uint32_t stride, struct tf_telemetry *ret);
bool tf_telemetry_lepton2_header(const uint8_t *data, size_t size, uint32_t stride, struct tf_telemetry *ret);
bool tf_telemetry_lepton3_footer(const uint8_t *data, size_t size, uint32_t stride, struct tf_telemetry *ret);
bool tf_telemetry_lepton3_header(const uint8_t *data, size_t size, uint32_t stride, struct tf_telemetry *ret);

#endif
