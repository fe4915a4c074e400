#!/usr/bin/python3
"""The rows of a visible68 label file whose face is seen from one side: what `thermoface eval points` scores the nose networks on.

    training/views.py side test.csv > side.csv
"""

import argparse
import csv
import sys

import numpy as np

import data
import orders


def main():
    p = argparse.ArgumentParser(description="Rows of a label file by view of the head.")
    p.add_argument("view", choices=sorted(orders.VIEWS))
    p.add_argument("csv")
    args = p.parse_args()
    with open(args.csv, newline="") as f:
        rows = list(csv.reader(f))
    if not rows or "x67" not in rows[0]:
        raise ValueError(f"{args.csv}:1: columns x0 to y67 are missing")
    head = rows[0]
    columns = [[head.index(f"{a}{k}") for a in "xy"] for k in range(68)]
    points = np.array([[[float(r[i] or "nan") for i in c] for c in columns] for r in rows[1:]], np.float32)
    keep = orders.in_view(points, args.view)
    csv.writer(sys.stdout, lineterminator="\n").writerows([head] + [r for r, k in zip(rows[1:], keep) if k])
    print(f"{keep.sum()} of {len(keep)} rows", file=sys.stderr)


if __name__ == "__main__":
    data.tidy(main)
