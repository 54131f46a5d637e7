import type { Rule } from './decide.ts'

const READS = [
  'identity.read',
  'catalog.read',
  'placement.rule.read',
  'transfer.read',
  'workload.read',
  'production.read',
  'raw.read',
  'sites.read',
  'operations.read',
  'software.read',
  ...['storage.stat', 'storage.list', 'storage.read', 'storage.stage', 'storage.poll'],
]
const OWNERS = [
  'identity.login',
  'identity.certificate.read',
  'identity.certificate.write',
  'identity.delegate',
  'catalog.did.*',
  'catalog.replica.*',
  'placement.rule.*',
  'transfer.cancel',
  'workload.submit',
  'workload.control',
  'storage.*',
  'identity.people.read',
  'identity.profile.write',
  'identity.policy.sign',
  'identity.group.request',
]
const MANAGERS = ['identity.people.read', 'identity.group.manage']

/** What a new VO begins with: everyone reads, owners write, managers look after their group, administrators do everything, the production group makes productions, the DAQ group declares raw data, the group of shifts looks after the grid, gateways report, pilots take jobs. */
export function defaultRules(vo: string): Rule[] {
  const rule = (
    subjectKind: Rule['subjectKind'],
    subject: string,
    action: string,
    resource: string,
  ): Rule => ({
    vo,
    subjectKind,
    subject,
    action,
    resource,
    effect: 'allow',
  })
  return [
    ...READS.map((action) => rule('everyone', '', action, '*')),
    ...OWNERS.map((action) => rule('everyone', '', action, 'owner')),
    ...MANAGERS.map((action) => rule('everyone', '', action, 'manager')),
    rule('attribute', 'admin=true', '*', '*'),
    rule('group', `/${vo}/production`, 'production.*', '*'),
    rule('group', `/${vo}/daq`, 'raw.declare', '*'),
    rule('group', `/${vo}/daq`, 'raw.release', '*'),
    rule('group', `/${vo}/shifts`, 'operations.*', '*'),
    rule('attribute', 'gateway', 'gateway.report', '*'),
    rule('attribute', 'pilots', 'workload.pilot', '*'),
  ]
}
