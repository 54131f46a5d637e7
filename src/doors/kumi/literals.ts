import { type TLiteral, type TUnion, Type } from 'typebox'

type Literals<T extends readonly string[]> = { -readonly [K in keyof T]: TLiteral<T[K] & string> }

/** One of these words, and nothing else. */
export const literals = <const T extends readonly string[]>(...values: T): TUnion<Literals<T>> =>
  Type.Union(values.map((value) => Type.Literal(value))) as unknown as TUnion<Literals<T>>
