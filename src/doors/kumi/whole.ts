import { Type } from 'typebox'

/** The greatest number of a column of four bytes. */
const MOST = 2 ** 31 - 1

/** A number that the database keeps in four bytes; others are bounded by what a number holds exactly. */
export const small = (minimum: number, maximum = MOST) => Type.Integer({ minimum, maximum })
