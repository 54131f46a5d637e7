import {
  createHashHistory,
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  redirect,
} from '@tanstack/react-router'
import { NotFound } from './not-found.tsx'
import { Shell } from './shell.tsx'

const text = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : typeof value === 'number' ? String(value) : undefined
const optional = <K extends string>(search: Record<string, unknown>, ...keys: K[]) =>
  Object.fromEntries(
    keys.flatMap((key) => (text(search[key]) === undefined ? [] : [[key, text(search[key])]])),
  ) as { [P in K]?: string }

const root = createRootRoute({ component: Shell, notFoundComponent: NotFound })
const login = createRoute({
  getParentRoute: () => root,
  path: '/login',
  validateSearch: (search: Record<string, unknown>) =>
    optional(search, 'code', 'vo', 'request', 'device', 'next'),
  component: lazyRouteComponent(() => import('../login/login-page.tsx'), 'LoginPage'),
})
const authorize = createRoute({
  getParentRoute: () => root,
  path: '/authorize',
  validateSearch: (search: Record<string, unknown>) => optional(search, 'vo', 'request'),
  component: lazyRouteComponent(() => import('../login/authorize-page.tsx'), 'AuthorizePage'),
})
const device = createRoute({
  getParentRoute: () => root,
  path: '/device',
  validateSearch: (search: Record<string, unknown>) => optional(search, 'vo', 'code'),
  component: lazyRouteComponent(() => import('../login/device-page.tsx'), 'DevicePage'),
})
const register = createRoute({
  getParentRoute: () => root,
  path: '/register',
  validateSearch: (search: Record<string, unknown>) => optional(search, 'vo'),
  component: lazyRouteComponent(() => import('../account/register-page.tsx'), 'RegisterPage'),
})
const confirm = createRoute({
  getParentRoute: () => root,
  path: '/confirm',
  validateSearch: (search: Record<string, unknown>) => optional(search, 'vo', 'token'),
  component: lazyRouteComponent(() => import('../account/confirm-page.tsx'), 'ConfirmPage'),
})
const forgot = createRoute({
  getParentRoute: () => root,
  path: '/forgot',
  validateSearch: (search: Record<string, unknown>) => optional(search, 'vo'),
  component: lazyRouteComponent(() => import('../login/forgot-page.tsx'), 'ForgotPage'),
})
const newPassword = createRoute({
  getParentRoute: () => root,
  path: '/new-password',
  validateSearch: (search: Record<string, unknown>) => optional(search, 'vo', 'token'),
  component: lazyRouteComponent(() => import('../login/new-password-page.tsx'), 'NewPasswordPage'),
})
const sign = createRoute({
  getParentRoute: () => root,
  path: '/sign',
  validateSearch: (search: Record<string, unknown>) => optional(search, 'vo', 'next', 'again'),
  component: lazyRouteComponent(() => import('../account/sign-page.tsx'), 'SignPage'),
})
const account = createRoute({
  getParentRoute: () => root,
  path: '/account',
  component: lazyRouteComponent(() => import('../account/account-layout.tsx'), 'AccountLayout'),
})
const profile = createRoute({
  getParentRoute: () => account,
  path: '/',
  component: lazyRouteComponent(() => import('../account/profile-page.tsx'), 'ProfilePage'),
})
const myGroups = createRoute({
  getParentRoute: () => account,
  path: '/groups',
  component: lazyRouteComponent(() => import('../account/groups-page.tsx'), 'GroupsPage'),
})
const myCertificates = createRoute({
  getParentRoute: () => account,
  path: '/certificates',
  component: lazyRouteComponent(() => import('../account/certificates-page.tsx'), 'CertificatesPage'),
})
const mySessions = createRoute({
  getParentRoute: () => account,
  path: '/sessions',
  component: lazyRouteComponent(() => import('../account/sessions-page.tsx'), 'SessionsPage'),
})
const myPrograms = createRoute({
  getParentRoute: () => account,
  path: '/programs',
  component: lazyRouteComponent(() => import('../account/programs-page.tsx'), 'ProgramsPage'),
})
const myPolicy = createRoute({
  getParentRoute: () => account,
  path: '/policy',
  component: lazyRouteComponent(() => import('../account/policy-page.tsx'), 'PolicyPage'),
})
const now = createRoute({
  getParentRoute: () => root,
  path: '/',
  component: lazyRouteComponent(() => import('../now/now-page.tsx'), 'NowPage'),
})
const data = createRoute({
  getParentRoute: () => root,
  path: '/data',
  validateSearch: (search: Record<string, unknown>) => optional(search, 'scope', 'name', 'type', 'where'),
  component: lazyRouteComponent(() => import('../data/search-page.tsx'), 'SearchPage'),
})
const did = createRoute({
  getParentRoute: () => root,
  path: '/data/$scope/$name',
  component: lazyRouteComponent(() => import('../data/did-page.tsx'), 'DidPage'),
})
const raw = createRoute({
  getParentRoute: () => root,
  path: '/raw',
  validateSearch: (search: Record<string, unknown>) => optional(search, 'flow', 'before'),
  component: lazyRouteComponent(() => import('../raw/raw-page.tsx'), 'RawPage'),
})
const rawRun = createRoute({
  getParentRoute: () => root,
  path: '/raw/$experiment/$run',
  validateSearch: (search: Record<string, unknown>) => optional(search, 'state'),
  component: lazyRouteComponent(() => import('../raw/run-page.tsx'), 'RunPage'),
})
const rules = createRoute({
  getParentRoute: () => root,
  path: '/rules',
  validateSearch: (search: Record<string, unknown>) => optional(search, 'state'),
  component: lazyRouteComponent(() => import('../rules/rules-page.tsx'), 'RulesPage'),
})
const newRule = createRoute({
  getParentRoute: () => root,
  path: '/rules/new',
  validateSearch: (search: Record<string, unknown>) => optional(search, 'did'),
  component: lazyRouteComponent(() => import('../rules/new-rule-page.tsx'), 'NewRulePage'),
})
const rule = createRoute({
  getParentRoute: () => root,
  path: '/rules/$id',
  component: lazyRouteComponent(() => import('../rules/rule-page.tsx'), 'RulePage'),
})
const transfers = createRoute({
  getParentRoute: () => root,
  path: '/transfers',
  validateSearch: (search: Record<string, unknown>) => optional(search, 'state'),
  component: lazyRouteComponent(() => import('../transfers/transfers-page.tsx'), 'TransfersPage'),
})
const link = createRoute({
  getParentRoute: () => root,
  path: '/transfers/$source/$destination',
  component: lazyRouteComponent(() => import('../transfers/link-page.tsx'), 'LinkPage'),
})

const jobs = createRoute({
  getParentRoute: () => root,
  path: '/jobs',
  validateSearch: (search: Record<string, unknown>) =>
    optional(search, 'status', 'owner', 'group', 'site', 'name', 'hours', 'before', 'span'),
  component: lazyRouteComponent(() => import('../jobs/jobs-page.tsx'), 'JobsPage'),
})
const newJob = createRoute({
  getParentRoute: () => root,
  path: '/jobs/new',
  component: lazyRouteComponent(() => import('../jobs/new-job-page.tsx'), 'NewJobPage'),
})
const job = createRoute({
  getParentRoute: () => root,
  path: '/jobs/$id',
  component: lazyRouteComponent(() => import('../jobs/job-page.tsx'), 'JobPage'),
})
const card = createRoute({
  getParentRoute: () => root,
  path: '/cards/$id',
  component: lazyRouteComponent(() => import('../cards/card-page.tsx'), 'CardPage'),
})
const shift = createRoute({
  getParentRoute: () => root,
  path: '/shift',
  component: lazyRouteComponent(() => import('../shift/shift-page.tsx'), 'ShiftPage'),
})
const productions = createRoute({
  getParentRoute: () => root,
  path: '/productions',
  validateSearch: (search: Record<string, unknown>) => optional(search, 'show'),
  component: lazyRouteComponent(() => import('../productions/productions-page.tsx'), 'ProductionsPage'),
})
const production = createRoute({
  getParentRoute: () => root,
  path: '/productions/$name',
  validateSearch: (search: Record<string, unknown>) => optional(search, 'tasks'),
  component: lazyRouteComponent(() => import('../productions/production-page.tsx'), 'ProductionPage'),
})
const sites = createRoute({
  getParentRoute: () => root,
  path: '/sites',
  validateSearch: (search: Record<string, unknown>) => optional(search, 'hours'),
  component: lazyRouteComponent(() => import('../sites/sites-page.tsx'), 'SitesPage'),
})
const site = createRoute({
  getParentRoute: () => root,
  path: '/sites/$name',
  component: lazyRouteComponent(() => import('../sites/site-page.tsx'), 'SitePage'),
})
const software = createRoute({
  getParentRoute: () => root,
  path: '/software',
  component: lazyRouteComponent(() => import('../software/repositories-page.tsx'), 'RepositoriesPage'),
})
const repository = createRoute({
  getParentRoute: () => root,
  path: '/software/$name',
  validateSearch: (search: Record<string, unknown>) =>
    optional(search, 'view', 'revision', 'path', 'from', 'to'),
  component: lazyRouteComponent(() => import('../software/repository-page.tsx'), 'RepositoryPage'),
})

const people = createRoute({
  getParentRoute: () => root,
  path: '/people',
  beforeLoad: () => {
    throw redirect({ to: '/people/requests', search: {} })
  },
})
const access = createRoute({
  getParentRoute: () => root,
  path: '/people/access',
  component: lazyRouteComponent(() => import('../people/access-page.tsx'), 'AccessPage'),
})

const requests = createRoute({
  getParentRoute: () => root,
  path: '/people/requests',
  validateSearch: (search: Record<string, unknown>) => optional(search, 'state'),
  component: lazyRouteComponent(() => import('../people/requests-page.tsx'), 'RequestsPage'),
})
const members = createRoute({
  getParentRoute: () => root,
  path: '/people/members',
  validateSearch: (search: Record<string, unknown>) => optional(search, 'find', 'state', 'group', 'start'),
  component: lazyRouteComponent(() => import('../people/members-page.tsx'), 'MembersPage'),
})
const person = createRoute({
  getParentRoute: () => root,
  path: '/people/members/$name',
  component: lazyRouteComponent(() => import('../people/person-page.tsx'), 'PersonPage'),
})
const groups = createRoute({
  getParentRoute: () => root,
  path: '/people/groups',
  component: lazyRouteComponent(() => import('../people/groups-page.tsx'), 'GroupsPage'),
})
const group = createRoute({
  getParentRoute: () => root,
  path: '/people/groups/$id',
  validateSearch: (search: Record<string, unknown>) => optional(search, 'find', 'start'),
  component: lazyRouteComponent(() => import('../people/group-page.tsx'), 'GroupPage'),
})
const clients = createRoute({
  getParentRoute: () => root,
  path: '/people/clients',
  component: lazyRouteComponent(() => import('../people/clients-page.tsx'), 'ClientsPage'),
})
const newClient = createRoute({
  getParentRoute: () => root,
  path: '/people/clients/new',
  component: lazyRouteComponent(() => import('../people/new-client-page.tsx'), 'NewClientPage'),
})
const client = createRoute({
  getParentRoute: () => root,
  path: '/people/clients/$id',
  component: lazyRouteComponent(() => import('../people/client-page.tsx'), 'ClientPage'),
})
const policies = createRoute({
  getParentRoute: () => root,
  path: '/people/policies',
  component: lazyRouteComponent(() => import('../people/policies-page.tsx'), 'PoliciesPage'),
})
const audit = createRoute({
  getParentRoute: () => root,
  path: '/people/audit',
  validateSearch: (search: Record<string, unknown>) =>
    optional(search, 'actor', 'target', 'action', 'since', 'until'),
  component: lazyRouteComponent(() => import('../people/audit-page.tsx'), 'AuditPage'),
})
const managing = [
  requests,
  members,
  person,
  groups,
  group,
  clients,
  newClient,
  client,
  policies,
  audit,
] as const

export const router = createRouter({
  routeTree: root.addChildren([
    login,
    authorize,
    device,
    register,
    confirm,
    sign,
    forgot,
    newPassword,
    account.addChildren([profile, myGroups, myCertificates, mySessions, myPrograms, myPolicy]),
    ...[now, card, shift],
    data,
    did,
    ...[raw, rawRun],
    rules,
    newRule,
    rule,
    transfers,
    link,
    ...[productions, production],
    ...[jobs, newJob, job, sites, site, software, repository],
    people,
    access,
    ...managing,
  ]),
  history: createHashHistory(),
  defaultPreload: 'intent',
})

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router
  }
}
