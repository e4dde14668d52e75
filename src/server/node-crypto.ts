// The part of `node:crypto` that is needed. It computes at once, while WebCrypto hands each step to another thread and back. A refresh has several
// such steps, and on a busy machine each of them waits for a processor.

interface CipherOptions {
  /** Bytes. Without it, Node accepts shorter tags, which are easier to guess. */
  authTagLength: number;
}

interface Cipher {
  update(data: string | Uint8Array): Uint8Array;
  final(): Uint8Array;
  getAuthTag(): Uint8Array;
  setAuthTag(tag: Uint8Array): unknown;
}

interface NodeCrypto {
  /** In one call, in half the time of `createHash`. Other runtimes may lack it. */
  hash?(name: 'sha256', text: string, encoding: 'base64url'): string;
  createCipheriv(name: 'aes-256-gcm', key: Uint8Array, iv: Uint8Array, options: CipherOptions): Cipher;
  createDecipheriv(name: 'aes-256-gcm', key: Uint8Array, iv: Uint8Array, options: CipherOptions): Cipher;
}

interface NodeBuffer {
  Buffer: {
    from(bytes: ArrayBufferLike, offset: number, length: number): { toString(encoding: 'base64url'): string };
  };
}

const { process } = globalThis as { process?: { getBuiltinModule?(name: string): unknown } };

/** `undefined` where the runtime has WebCrypto only. */
export const node = process?.getBuiltinModule?.('node:crypto') as NodeCrypto | undefined;
export const buffers = process?.getBuiltinModule?.('node:buffer') as NodeBuffer | undefined;
