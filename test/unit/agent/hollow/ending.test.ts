import { expect, it } from "vitest";
import { endingOf } from "../../../../agent/hollow/ending.ts";

const never = Number.POSITIVE_INFINITY;

it.each<[string, string[], string[], number, number]>([
  ["registry.k8s.io/pause:3.10", [], [], never, 0],
  ["pause", [], [], never, 0],
  ["example.com/pauser:1", [], [], 1000, 0],
  ["busybox", ["sleep", "90"], [], 90_000, 0],
  ["busybox", ["/bin/sleep"], ["1.5m", "3"], 93_000, 0],
  ["busybox", ["sleep", "infinity"], [], never, 0],
  ["busybox", ["sleep", "30d"], [], never, 0],
  ["busybox", ["sleep", "x"], [], 0, 0],
  ["busybox", ["true"], [], 1000, 0],
  ["busybox", ["false"], [], 1000, 1],
  ["busybox", ["/bin/sh", "-c", "exit 1"], [], 1000, 1],
  ["busybox", ["bash", "-c"], ["exit 300;"], 1000, 44],
  ["busybox", ["sh", "-c", "sleep 5"], [], 5000, 0],
  ["busybox", ["sh", "-c", "sleep 5; exit 3"], [], 5000, 3],
  ["busybox", ["sh", "-c", "sleep 5 && exit 0"], [], 5000, 0],
  ["busybox", ["sh", "-c", "make all; exit 1"], [], 1000, 0],
  ["busybox", ["sh", "-c"], [], 1000, 0],
  ["busybox", ["perl", "-e", "exit 1"], [], 1000, 0],
])("%s with %j %j ends after %d ms with %d", (image, command, args, afterMs, exitCode) => {
  expect(endingOf({ image, command, args }, 1000)).toEqual({ afterMs, exitCode });
});
