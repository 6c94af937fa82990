import { expect, it } from "vitest";
import { humanDuration } from "../../../shared/kubernetes/duration.ts";

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

it.each([
  [-2 * second, "<invalid>"],
  [-second, "0s"],
  [0, "0s"],
  [119 * second, "119s"],
  [2 * minute, "2m"],
  [9 * minute + 30 * second, "9m30s"],
  [10 * minute + 30 * second, "10m"],
  [179 * minute, "179m"],
  [3 * hour, "3h"],
  [7 * hour + 59 * minute, "7h59m"],
  [8 * hour + 59 * minute, "8h"],
  [47 * hour, "47h"],
  [2 * day, "2d"],
  [7 * day + 23 * hour, "7d23h"],
  [8 * day + 23 * hour, "8d"],
  [2 * 365 * day - hour, "729d"],
  [2 * 365 * day, "2y"],
  [3 * 365 * day + 4 * day, "3y4d"],
  [8 * 365 * day + 4 * day, "8y"],
])("shows %d ms as %s", (durationMs, shown) => {
  expect(humanDuration(durationMs)).toBe(shown);
});
