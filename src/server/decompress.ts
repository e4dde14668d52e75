// Bodies that a handler compressed itself. Node has more codings in a module than as streams of the Web.
type Decompress = (bytes: Uint8Array) => Uint8Array<ArrayBuffer>;

/** The part of `node:zlib` that is needed. Older versions of Node lack `zstdDecompressSync`. */
type NodeZlib = Partial<Record<string, Decompress>>;

const { process } = globalThis as { process?: { getBuiltinModule?(name: string): unknown } };
const zlib = process?.getBuiltinModule?.('node:zlib') as NodeZlib | undefined;

/** By the name of a coding: the function of `node:zlib`, and the format of `DecompressionStream`. */
const CODINGS: Readonly<Partial<Record<string, readonly [inNode: string, format: string]>>> = {
  gzip: ['gunzipSync', 'gzip'],
  // RFC 9110 §8.4.1.3
  'x-gzip': ['gunzipSync', 'gzip'],
  deflate: ['inflateSync', 'deflate'],
  br: ['brotliDecompressSync', 'brotli'],
  zstd: ['zstdDecompressSync', 'zstd'],
};

/**
 * A body without its codings.
 *
 * @param codings - the header `Content-Encoding`: a list, in the order in which the codings were applied
 * @returns `undefined` if the runtime lacks one of them, or the body is not what the header says
 */
export async function decompress(
  bytes: ArrayBuffer,
  codings: string,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  let plain = new Uint8Array(bytes);
  try {
    // guard: codings have no case, and are a list
    const names = codings.split(',').map((name) => name.trim().toLowerCase());
    for (const name of names.reverse()) if (name && name !== 'identity') plain = await without(name, plain);
    return plain;
  } catch {
    return undefined;
  }
}

/** @throws if the runtime lacks the coding, or the bytes are not of it */
async function without(coding: string, bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const [inNode = '', format = coding] = CODINGS[coding] ?? [];
  const inflate = zlib?.[inNode];
  if (inflate) return inflate(bytes);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream(format as CompressionFormat));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
