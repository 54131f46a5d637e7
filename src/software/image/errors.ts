import { defineError } from '../../kernel/errors.ts'

/** What should be an image is none, is damaged, or would lead out of its tree. */
export const badImage = defineError('invalid', 'software_bad_image')
/** Several images are in the file, or none of that name and platform. */
export const whichImage = defineError('invalid', 'software_which_image')
