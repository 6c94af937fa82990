import { randomBytes } from "node:crypto";
import { expect, it } from "vitest";
import { makeSecret, signatureHeaders } from "../../../shared/webhooks/signature.ts";

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const message = { id: "msg_p5jXN8AQM9LWM0D4loKWxJek", timestampSeconds: 1_614_265_330, body: '{"test": 2432232314}' };

it("signs as the example of the Standard Webhooks libraries", () => {
  expect(signatureHeaders(message, [secret])).toEqual({
    "webhook-id": message.id,
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
  });
});

it("signs with every secret that is good, the newest first", () => {
  const fresh = makeSecret(randomBytes);
  const [first, second] = (signatureHeaders(message, [fresh, secret])["webhook-signature"] ?? "").split(" ");
  expect(second).toBe("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
  expect(first).toMatch(/^v1,[A-Za-z0-9+/]{43}=$/);
});

it("makes secrets of 32 random bytes", () => {
  expect(makeSecret(randomBytes)).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
});
