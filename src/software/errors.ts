import { defineError } from '../kernel/errors.ts'

export const noSuchRepository = defineError('missing', 'software_no_such_repository')
export const repositoryExists = defineError('conflict', 'software_repository_exists')
export const badName = defineError('invalid', 'software_bad_name')
export const badPath = defineError('invalid', 'software_bad_path')
export const badChange = defineError('invalid', 'software_bad_change')
export const brokenOff = defineError('invalid', 'software_changes_broken_off')
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
export const noSuchApproval = defineError('missing', 'software_no_such_approval')
/** What waits for somebody else cannot be done by oneself at once. */
export const approvalNeeded = defineError('conflict', 'software_approval_needed')
export const noSuchProposal = defineError('missing', 'software_no_such_proposal')
/** It was decided, withdrawn, or has expired. */
export const proposalOver = defineError('conflict', 'software_proposal_over')
/** What was published since does not go together with a proposal. */
export const proposalConflict = defineError('conflict', 'software_proposal_conflict')
/** Four eyes: nobody approves or rejects their own, and only they withdraw it. */
export const fourEyes = defineError('denied', 'software_four_eyes')
