import { defineError } from '../kernel/errors.ts'

export const noSuchRepository = defineError('missing', 'software_no_such_repository')
export const repositoryExists = defineError('conflict', 'software_repository_exists')
export const badName = defineError('invalid', 'software_bad_name')
export const badPath = defineError('invalid', 'software_bad_path')
export const badChange = defineError('invalid', 'software_bad_change')
export const noSuchPublication = defineError('missing', 'software_no_such_publication')
/** Somebody else publishes below or above the same path, or did since. */
export const publicationConflict = defineError('conflict', 'software_publication_conflict')
export const objectsMissing = defineError('conflict', 'software_objects_missing')
export const noSuchRevision = defineError('missing', 'software_no_such_revision')
export const tagExists = defineError('conflict', 'software_tag_exists')
export const badTag = defineError('invalid', 'software_bad_tag')
/** Without a whitelist nothing that is signed counts. */
export const noWhitelist = defineError('conflict', 'software_no_whitelist')
export const badWhitelist = defineError('invalid', 'software_bad_whitelist')
/** What is mirrored is signed elsewhere: nothing can be published, tagged or collected in it here. */
export const isMirror = defineError('conflict', 'software_is_mirror')
export const noMirror = defineError('missing', 'software_no_mirror')
export const badMirror = defineError('invalid', 'software_bad_mirror')
/** None of the addresses of a mirrored repository gives what is asked for, or gives it right. */
export const originalsAway = defineError('transient', 'software_originals_away')
