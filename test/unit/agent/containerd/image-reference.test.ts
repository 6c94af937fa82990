import { describe, expect, it } from "vitest";
import { isImageReference } from "../../../../agent/containerd/image-reference.ts";

describe("isImageReference", () => {
  it.each([
    "busybox",
    "busybox:1.36",
    "library/busybox",
    "registry.example:5000/team/app_x/web__1:v1",
    "localhost/app@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "docker.io/library/app:tag@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "[fd00::1]:5000/app",
  ])("accepts %s", (image) => {
    expect(isImageReference(image)).toBe(true);
  });

  it.each([
    "",
    "UPPER",
    "app:",
    "app:-x",
    "/app",
    "app//x",
    "a b",
    "app@sha256:12",
    "https://example/app",
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    `registry/${"a".repeat(260)}`,
  ])("refuses %j", (image) => {
    expect(isImageReference(image)).toBe(false);
  });
});
