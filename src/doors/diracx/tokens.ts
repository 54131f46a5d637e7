/**
 * The field's client looks into its refresh token for `exp`, though it cannot check it. Ours is opaque, so it travels as
 * the signature of an unsigned JWT: the client reads the time, and we take back what we gave.
 */
export function wrapRefresh(token: string, facts: { vo: string; exp: number; jti: string }): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const payload = { ...facts, legacy_exchange: false, dirac_policies: {} }
  return [part({ alg: 'none', typ: 'JWT' }), part(payload), Buffer.from(token).toString('base64url')].join(
    '.',
  )
}

/** The VO and the token inside; undefined for anything else. */
export function unwrapRefresh(text: string): { vo: string; token: string } | undefined {
  const [, payload, inner] = text.split('.')
  if (!payload || !inner) return undefined
  try {
    const { vo } = JSON.parse(Buffer.from(payload, 'base64url').toString()) as { vo?: unknown }
    return typeof vo === 'string' ? { vo, token: Buffer.from(inner, 'base64url').toString() } : undefined
  } catch {
    return undefined
  }
}

export interface DeviceFacts {
  readonly vo: string
  readonly properties: readonly string[]
}

/** A device code names its VO, which the token request does not, and the properties that its holder must have. */
export const wrapCode = ({ vo, properties }: DeviceFacts, code: string): string =>
  [vo, properties.join('+'), code].join('.')
export function unwrapCode(text: string): (DeviceFacts & { code: string }) | undefined {
  const parts = /^([^.]+)\.([A-Za-z+]*)\.(.+)$/.exec(text)
  if (!parts) return undefined
  return { vo: parts[1]!, properties: parts[2]!.split('+').filter(Boolean), code: parts[3]! }
}
