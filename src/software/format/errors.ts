import { defineError } from '../../kernel/errors.ts'

/** What was read is no CVMFS document, or not a whole one. */
export const notACvmfs = defineError('invalid', 'software_format')
/** A signature, a fingerprint, an expiry or a hash is not right: whatever it covers must not be used. */
export const notTrusted = defineError('denied', 'software_not_trusted')
/** Stored bytes differ from their name. */
export const damaged = defineError('fatal', 'software_damaged')
/** More bytes than are taken, or than can be looked into. */
export const tooGreat = defineError('invalid', 'software_too_great')
