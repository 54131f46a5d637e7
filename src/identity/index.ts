/** The public face of identity: people, services, tokens and the one authorisation decision. */
export type {
  Account,
  AccountFilter,
  AccountIdentity,
  AccountKind,
  AccountStatus,
  IdentityKind,
  NewAccount,
  NewAccountIdentity,
} from './accounts/account.ts'
export type { Group, Membership, NewGroup } from './accounts/group.ts'
export type { LoginOptions, LoginRequest, LoginResult, PasswordRequest } from './accounts/login.ts'
export { seal, unseal } from './accounts/secrets.ts'
export type { Vo } from './accounts/vos.ts'
export type {
  CertificateOrigin,
  CertificateRecord,
  CertificateRequest,
  CertificateState,
  IssuingAuthority,
} from './certificates/certificate.ts'
export { readGridmap, writeGridmap, writeGroupmap } from './certificates/gridmap.ts'
export type { IdentityOptions } from './context.ts'
export type { DelegatedCredential, Delegation } from './delegation/delegation.ts'
export { certificateMissing, certificateNeeded } from './errors.ts'
export { createIdentity, type Identity } from './identity.ts'
export type { AuditEntry, AuditFilter, AuditRecord, AuditVerdict } from './people/audit.ts'
export type { Comparison, ComparisonTest, Condition, Page, Paged } from './people/condition.ts'
export type { Attribute, Label, Owner, OwnerKind } from './people/labels.ts'
export type { LifecyclePlan } from './people/lifecycle.ts'
export { type MailToAccounts, PASSWORD_LINK, type WrittenMail } from './people/mails.ts'
export { isUuid } from './people/names.ts'
export type { OutgoingMail, SendMail } from './people/outgoing-mail.ts'
export type { PasswordChange } from './people/passwords.ts'
export type { Member, NewEmail, NewPerson, ProfileChange } from './people/people.ts'
export type { Email, Ending, Person } from './people/person.ts'
export type { Registration } from './people/registrations.ts'
export type { MembershipRequest, RequestFilter, RequestKind, RequestState } from './people/requests.ts'
export type { PeopleSettings } from './people/settings.ts'
export type { Standing, StandingCode } from './people/standing.ts'
export type { CertificateWish, PersonChange } from './people/update.ts'
export type { NewPolicy, Signature, UsagePolicy } from './people/usage-policy.ts'
export { ACTIONS } from './policy/actions.ts'
export type { Decision, Rule } from './policy/decide.ts'
export type { AccessAnswer } from './policy/explain.ts'
export type { NewRule, StoredRule } from './policy/policies.ts'
export { checkResource } from './tokens/audience.ts'
export type { Answer, AuthorizationRequest, Question, Visitor } from './tokens/authorization.ts'
export { type Client, GRANTS, type NewClient } from './tokens/client.ts'
export type { ClientProof } from './tokens/client-authentication.ts'
export type { ClientChange } from './tokens/clients.ts'
export type { ExchangePolicy } from './tokens/exchange-policy.ts'
export type { Grant, Issued } from './tokens/grants.ts'
export type { MintedToken, MintRequest } from './tokens/mint.ts'
export type { WrittenScopePolicy } from './tokens/scope-policies.ts'
export type { Session } from './tokens/sessions.ts'
export type { NewTrust, TrustedIssuerView } from './tokens/trusted-issuers.ts'
export { LOGIN_SCOPES, SCOPES_OFFERED } from './tokens/vocabulary.ts'
export * from './verifier.ts'
export {
  type AttributeAuthority,
  type AttributeAuthorityOptions,
  createAttributeAuthority,
  type IssuedAttributes,
} from './voms/attribute-authority.ts'
export { type AuthorityCredential, credentialOf } from './voms/build.ts'
export { type AuthorityChain, formatLsc, formatVomses, namesOf } from './voms/contact-files.ts'
export { type Fqan, parseFqan } from './voms/fqan.ts'
export type { AttributeRequest } from './voms/grant.ts'
export * from './x509/index.ts'
