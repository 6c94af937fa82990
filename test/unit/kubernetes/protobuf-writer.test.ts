import { expect, it } from "vitest";
import { ProtobufWriter } from "../../../shared/kubernetes/protobuf-writer.ts";

it("writes fields in order, as the encoding guide of protocol buffers shows them", () => {
  expect(new ProtobufWriter().string(2, "testing").finish().toString("hex")).toBe("120774657374696e67");
  expect(new ProtobufWriter().bool(4, true).finish().toString("hex")).toBe("2001");
});

it("leaves out what is empty, but not the empty values of a list or an empty message", () => {
  expect(new ProtobufWriter().string(1, "").string(1, undefined).bool(2, false).message(3, undefined).finish()).toHaveLength(0);
  expect(new ProtobufWriter().strings(1, ["", "a"]).message(2, new ProtobufWriter()).finish().toString("hex")).toBe("0a000a01611200");
});

it("writes lengths and field numbers of more than seven bits", () => {
  const long = "x".repeat(300);
  const inner = new ProtobufWriter().string(31, long);
  const written = new ProtobufWriter().message(1, inner).finish();
  expect(written.subarray(0, 7).toString("hex")).toBe("0ab002fa01ac02");
  expect(written).toHaveLength(3 + 4 + 300);
});
