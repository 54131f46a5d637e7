export const USER = 'urn:ietf:params:scim:schemas:core:2.0:User'
export const GROUP = 'urn:ietf:params:scim:schemas:core:2.0:Group'
export const INDIGO_USER = 'urn:indigo-dc:scim:schemas:IndigoUser'
export const INDIGO_GROUP = 'urn:indigo-dc:scim:schemas:IndigoGroup'
export const ENTERPRISE = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User'
export const LIST = 'urn:ietf:params:scim:api:messages:2.0:ListResponse'

export interface Attribute {
  readonly name: string
  readonly type: 'string' | 'boolean' | 'dateTime' | 'complex' | 'reference'
  readonly multiValued: boolean
  readonly description: string
  readonly mutability: 'readOnly' | 'readWrite' | 'immutable'
  readonly returned: 'always' | 'default' | 'request'
  readonly required: boolean
  readonly uniqueness: 'none' | 'server'
  readonly subAttributes?: readonly Attribute[]
}

type Facts = Partial<Omit<Attribute, 'name' | 'description' | 'subAttributes'>>

const attribute = (
  name: string,
  description: string,
  facts: Facts = {},
  subAttributes?: readonly Attribute[],
): Attribute => ({
  ...({ name, description, type: subAttributes ? 'complex' : 'string', multiValued: false } as const),
  ...({ mutability: 'readWrite', returned: 'default', required: false, uniqueness: 'none' } as const),
  ...facts,
  ...(subAttributes && { subAttributes }),
})
const readOnly = { mutability: 'readOnly' } as const
const many = { multiValued: true } as const
const text = (name: string, description: string, facts: Facts = {}) => attribute(name, description, facts)
const LABELS = attribute('labels', 'Keys for other programs', many, [
  text('prefix', 'Who owns the name'),
  text('name', 'Name'),
  text('value', 'Value'),
])

export interface Schema {
  readonly id: string
  readonly name: string
  readonly description: string
  readonly attributes: readonly Attribute[]
}

export const SCHEMAS: readonly Schema[] = [
  {
    id: USER,
    name: 'User',
    description: 'A person or a service',
    attributes: [
      text('userName', 'Account name; never changes', {
        mutability: 'immutable',
        required: true,
        uniqueness: 'server',
      }),
      text('displayName', 'Given and family name', readOnly),
      attribute('name', 'Name', {}, [
        text('givenName', 'Given name'),
        text('familyName', 'Family name'),
        text('formatted', 'Both', readOnly),
      ]),
      attribute('active', 'Whether the account may do anything', { type: 'boolean' }),
      attribute('emails', 'Addresses; one is primary', many, [
        text('value', 'Address'),
        text('type', 'Always work'),
        attribute('primary', 'Where mail goes', { type: 'boolean' }),
      ]),
      attribute('groups', 'Groups, changed through the groups', { ...many, ...readOnly }, [
        text('value', 'Id of the group', readOnly),
        text('display', 'Full name', readOnly),
        attribute('$ref', 'Address', { type: 'reference', ...readOnly }),
      ]),
    ],
  },
  {
    id: GROUP,
    name: 'Group',
    description: 'A group of the VO',
    attributes: [
      text('displayName', 'Full name; on creation the last part only', {
        mutability: 'immutable',
        required: true,
        uniqueness: 'server',
      }),
      attribute('members', 'Members', { ...many, returned: 'request' }, [
        text('value', 'Id of the user', { mutability: 'immutable' }),
        text('display', 'Account name', readOnly),
        attribute('$ref', 'Address', { type: 'reference', ...readOnly }),
      ]),
    ],
  },
  {
    id: ENTERPRISE,
    name: 'EnterpriseUser',
    description: 'Where a person works',
    attributes: [text('organization', 'Institute')],
  },
  {
    id: INDIGO_USER,
    name: 'IndigoUser',
    description: 'What INDIGO IAM knows about a user',
    attributes: [
      attribute('sshKeys', 'Public keys', many, [text('value', 'Key'), text('display', 'Name', readOnly)]),
      attribute('certificates', 'Certificates, by themselves or by their names', many, [
        text('subjectDn', 'Subject, as RFC 4514 writes it'),
        text('issuerDn', 'Issuer'),
        text('pemEncodedCertificate', 'The certificate'),
        text('display', 'Name'),
        attribute('primary', 'Whether it is the first one', { type: 'boolean', ...readOnly }),
      ]),
      attribute('oidcIds', 'Logins elsewhere', many, [text('issuer', 'Issuer'), text('subject', 'Subject')]),
      LABELS,
      attribute('attributes', 'Generic attributes of VOMS', many, [
        text('name', 'Name'),
        text('value', 'Value'),
      ]),
      attribute('aupSignatureTime', 'When the usage policy was signed', { type: 'dateTime', ...readOnly }),
      attribute('endTime', 'When the membership ends', { type: 'dateTime' }),
      attribute('serviceAccount', 'Whether it is a service', { type: 'boolean', mutability: 'immutable' }),
      attribute('authorities', 'Roles in the VO', { ...many, ...readOnly }),
      attribute('managedGroups', 'Groups of which the user decides', { ...many, ...readOnly }, [
        text('value', 'Id of the group', readOnly),
        text('display', 'Full name', readOnly),
      ]),
    ],
  },
  {
    id: INDIGO_GROUP,
    name: 'IndigoGroup',
    description: 'What INDIGO IAM knows about a group',
    attributes: [
      text('description', 'What it is for'),
      attribute('parentGroup', 'The group above', { mutability: 'immutable' }, [
        text('value', 'Id'),
        text('display', 'Full name', readOnly),
      ]),
      LABELS,
    ],
  },
]

/** The proper writing of an attribute of a schema, or undefined. */
export function attributeNamed(attributes: readonly Attribute[], name: string): Attribute | undefined {
  return attributes.find((one) => one.name.toLowerCase() === name.toLowerCase())
}

export function schemaNamed(id: string): Schema | undefined {
  return SCHEMAS.find((one) => one.id.toLowerCase() === id.toLowerCase())
}
