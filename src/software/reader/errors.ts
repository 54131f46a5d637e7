import { defineError } from '../../kernel/errors.ts'

export const noSuchTag = defineError('missing', 'software_no_such_tag')
export const noSuchPath = defineError('missing', 'software_no_such_path')
