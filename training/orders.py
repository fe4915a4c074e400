"""Orders of facial points: how many, which are mirror images, how one follows from another.

An order that follows from the 68 is written as in `tf.from68` (docs/models.md): each point an iBUG number, or several joined by '+'
whose mean it is. That text is what the model file says, what `thermoface eval` applies to the truth, and what `convert` reads here.
"""

import numpy as np

from data import FLIP68

# Kaggle facial keypoints, training.csv's columns (cli/eval_orders.c); "left" is the subject's.
KAGGLE15 = "42+43+44+45+46+47,36+37+38+39+40+41,42,45,39,36,22,26,21,17,30,54,48,51,57"
KAGGLE_COLUMNS = ["left_eye_center", "right_eye_center", "left_eye_inner_corner", "left_eye_outer_corner",
                  "right_eye_inner_corner", "right_eye_outer_corner", "left_eyebrow_inner_end", "left_eyebrow_outer_end",
                  "right_eyebrow_inner_end", "right_eyebrow_outer_end", "nose_tip", "mouth_left_corner", "mouth_right_corner",
                  "mouth_center_top_lip", "mouth_center_bottom_lip"]

FROM68 = {
    "ibug68": ",".join(map(str, range(68))),
    "kaggle15": KAGGLE15,
    # Nose points by view (docs/training.md): nasion, bridge, tip, base of the nose.
    "nose-frontal7": "27,28,29,30,31,33,35",
    "nose-side5": "27,28+29,30,30+33,33",
    "nose-base9": "30,31,32,33,34,35,31+32,34+35,30+33",
}

# Orders of other data sets: for each of the 68 points, the number there that is the same place (None: there is none).
# WFLW: every second of its 33 jaw points, the upper rows of its brows, its eyes without the upper or lower middle, no pupils.
WFLW_TO_68 = ([*range(0, 33, 2)] + [33, 34, 35, 36, 37, 42, 43, 44, 45, 46] + [*range(51, 60)]
              + [60, 61, 63, 64, 65, 67, 68, 69, 71, 72, 73, 75] + [*range(76, 96)])
# SF-TL54: its first 48 are iBUG's; the mouth has its corners and the middle of the upper lip. The three middle points below
# (51 to 53) have no place among the 68 that its publication names.
SFTL_TO_68 = [*range(48)] + [48, None, None, 49, None, None, 50] + [None] * 13
TO_68 = {"wflw98": WFLW_TO_68, "sftl54": SFTL_TO_68}

_WFLW_FLIP = ([*range(32, -1, -1)] + [46, 45, 44, 43, 42, 50, 49, 48, 47, 37, 36, 35, 34, 33, 41, 40, 39, 38]
              + [51, 52, 53, 54, 59, 58, 57, 56, 55] + [72, 71, 70, 69, 68, 75, 74, 73, 64, 63, 62, 61, 60, 67, 66, 65]
              + [82, 81, 80, 79, 78, 77, 76, 87, 86, 85, 84, 83, 92, 91, 90, 89, 88, 95, 94, 93] + [97, 96])
_SFTL_FLIP = [*FLIP68[:48]] + [50, 49, 48, 51, 52, 53]

COUNT = {"wflw98": 98, "sftl54": 54, "charlotte72": 72, "thermal6": 6}


def terms(order):
    """Per point the iBUG numbers whose mean it is."""
    return [[int(i) for i in p.split("+")] for p in FROM68[order].split(",")]


def count(order):
    return len(terms(order)) if order in FROM68 else COUNT[order]


def flip(order):
    """The point that takes each point's place when the picture is mirrored, or None where the order's symmetry is not known."""
    if order in FROM68:
        sets = [frozenset(t) for t in terms(order)]
        return np.array([sets.index(frozenset(int(FLIP68[i]) for i in s)) for s in sets])
    known = {"wflw98": _WFLW_FLIP, "sftl54": _SFTL_FLIP, "thermal6": [1, 0, 2, 4, 3, 5]}
    return np.array(known[order]) if order in known else None


def outer_eyes(order):
    """The outer eye corners' numbers, right and left, or None: what NME is measured by."""
    if order in FROM68:
        t = terms(order)
        return (t.index([36]), t.index([45])) if [36] in t and [45] in t else None
    return {"wflw98": (60, 72), "sftl54": (36, 45)}.get(order)


def convert(points, origin, target):
    """[N, K, 2] of one order → [N, M, 2] of another; NaN where a point has no counterpart or was not labelled."""
    points = np.asarray(points, np.float32)
    if origin == target:
        return points
    if origin != "ibug68":
        if origin == "thermal6" and target in FROM68:
            from data import SIX
            six = [frozenset(s) for s in SIX]
            out = np.full((len(points), count(target), 2), np.nan, np.float32)
            for k, t in enumerate(terms(target)):
                if frozenset(t) in six:
                    out[:, k] = points[:, six.index(frozenset(t))]
            return out
        if origin == "kaggle15" and target == "ibug68":
            out = np.full((len(points), 68, 2), np.nan, np.float32)
            for k, t in enumerate(terms(origin)):
                if len(t) == 1:
                    out[:, t[0]] = points[:, k]
            return out
        if origin not in TO_68:
            raise ValueError(f"no way from the order {origin} to {target} is known; train its own order")
        full = np.full((len(points), 68, 2), np.nan, np.float32)
        for k, j in enumerate(TO_68[origin]):
            if j is not None:
                full[:, k] = points[:, j]
        points = full
    if target == "ibug68":
        return points
    if target not in FROM68:
        raise ValueError(f"the order {target} does not follow from the 68 points; it needs data of its own")
    # A mean with a member that has no label is no label.
    return np.stack([points[:, t].mean(1) for t in terms(target)], 1)


def yaw(points):
    """How far heads are turned, from 68 points [N, 68, 2]: the bridge's place between the ears, 0 when frontal, 0.5 in profile."""
    right = np.linalg.norm(points[:, 27] - points[:, 0], axis=1)
    left = np.linalg.norm(points[:, 27] - points[:, 16], axis=1)
    return np.abs(right / (right + left) - 0.5)


# Views of the nose (docs/training.md): least and greatest yaw.
VIEWS = {"frontal": (0.0, 0.08), "base": (0.0, 0.2), "side": (0.2, 1.0)}


def in_view(points, view):
    lo, hi = VIEWS[view]
    turn = yaw(points)
    return (turn >= lo) & (turn < hi)
