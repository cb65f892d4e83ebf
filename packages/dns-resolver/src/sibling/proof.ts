import { createCipheriv, createDecipheriv, createHmac, randomBytes, timingSafeEqual } from "node:crypto";

/**
 * How siblings know each other, by a secret of 32 octets that never travels. Who asks draws a nonce and sends it with
 *
 *   stitch-proof: hex(HMAC-SHA256(secret, "ask " nonce))
 *
 * and gets: iv(12), what was asked for in AES-256-GCM, tag(16), by the key HMAC-SHA256(secret, "answer " nonce). So nobody
 * on the way reads the names that a site asks for, or changes an answer; an older answer, to another nonce, does not open;
 * and an ask that somebody has recorded and repeats brings him what he cannot read.
 */
export const PROOF_HEADER = "stitch-proof";
const NONCE = /^[0-9a-f]{32}$/;
const CIPHER = "aes-256-gcm";
const IV_BYTES = 12;
const TAG_BYTES = 16;
/** Bytes of a sealed answer beside those of what is in it. */
export const SEAL_BYTES = IV_BYTES + TAG_BYTES;

export function newNonce(): string {
  return randomBytes(16).toString("hex");
}

export function askProof(secret: Uint8Array, nonce: string): string {
  return keyed(secret, `ask ${nonce}`).toString("hex");
}

/** Whether that was sent by somebody who has the secret; takes as long for any wrong proof. */
export function isProof(secret: Uint8Array, nonce: unknown, proof: unknown): nonce is string {
  if (typeof nonce !== "string" || !NONCE.test(nonce) || typeof proof !== "string") return false;
  const [given, right] = [Buffer.from(proof), Buffer.from(askProof(secret, nonce))];
  return given.length === right.length && timingSafeEqual(given, right);
}

export function sealed(secret: Uint8Array, nonce: string, answer: Uint8Array): Buffer {
  const iv = randomBytes(IV_BYTES); // a nonce may come twice, and then another answer is sealed by its key
  const cipher = createCipheriv(CIPHER, keyed(secret, `answer ${nonce}`), iv);
  return Buffer.concat([iv, cipher.update(answer), cipher.final(), cipher.getAuthTag()]);
}

/** What is in it; undefined when it was not sealed by this secret for this nonce, or not all of it is there. */
export function opened(secret: Uint8Array, nonce: string, bytes: Uint8Array): Buffer | undefined {
  if (bytes.length < SEAL_BYTES) return undefined;
  const iv = bytes.subarray(0, IV_BYTES);
  const decipher = createDecipheriv(CIPHER, keyed(secret, `answer ${nonce}`), iv, { authTagLength: TAG_BYTES });
  decipher.setAuthTag(bytes.subarray(bytes.length - TAG_BYTES));
  const answer = decipher.update(bytes.subarray(IV_BYTES, bytes.length - TAG_BYTES));
  try {
    decipher.final();
    return answer;
  } catch {
    return undefined; // the one thing that it throws for
  }
}

function keyed(secret: Uint8Array, text: string): Buffer {
  return createHmac("sha256", secret).update(text).digest();
}
