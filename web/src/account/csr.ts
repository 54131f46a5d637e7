const SIGNATURE = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
const KEY = { ...SIGNATURE, modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) }
/** sha256WithRSAEncryption and its empty parameters (RFC 4055 §5). */
const SHA256_WITH_RSA = [0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b, 0x05, 0x00]
const [INTEGER, BIT_STRING, SEQUENCE, ATTRIBUTES] = [0x02, 0x03, 0x30, 0xa0]

/** A fresh RSA key and a request for a certificate of it (PKCS#10, RFC 2986), both PEM. The grid knows the name itself. */
export async function makeRequest(): Promise<{ csr: string; key: string }> {
  const { subtle } = window.crypto
  const pair = await subtle.generateKey(KEY, true, ['sign', 'verify'])
  const publicKey = new Uint8Array(await subtle.exportKey('spki', pair.publicKey))
  const info = element(SEQUENCE, element(INTEGER, [0]), element(SEQUENCE), publicKey, element(ATTRIBUTES))
  const signature = new Uint8Array(await subtle.sign(SIGNATURE, pair.privateKey, info))
  const request = element(
    SEQUENCE,
    info,
    element(SEQUENCE, SHA256_WITH_RSA),
    element(BIT_STRING, [0], signature),
  )
  return {
    csr: pem('CERTIFICATE REQUEST', request),
    key: pem('PRIVATE KEY', new Uint8Array(await subtle.exportKey('pkcs8', pair.privateKey))),
  }
}

/** A DER element: tag, length, content. */
function element(tag: number, ...parts: Iterable<number>[]): Uint8Array<ArrayBuffer> {
  const content = parts.flatMap((part) => [...part])
  const { length } = content
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return new Uint8Array([tag, ...size, ...content])
}

function pem(label: string, bytes: Uint8Array): string {
  const text = btoa(String.fromCharCode(...bytes))
  return `-----BEGIN ${label}-----\n${text.replace(/.{64}(?=.)/g, '$&\n')}\n-----END ${label}-----\n`
}
