import type { Identity } from './identity/index.ts'

/** The people a demo grid begins with, so that lists, groups and roles have something to show. Nobody can log in as them. */
const PEOPLE = [
  { username: 'mika', givenName: '美香', familyName: '佐藤', institute: 'KEK', groups: ['/analysis/charm'] },
  {
    username: 'noa',
    givenName: '乃愛',
    familyName: '渡辺',
    institute: '大阪大学',
    groups: ['/analysis', '/shifts'],
  },
  { username: 'taro', givenName: '太郎', familyName: '山田', institute: '大阪大学', groups: ['/production'] },
  {
    username: 'emma',
    givenName: 'Emma',
    familyName: 'Brown',
    institute: 'University of Chicago',
    groups: ['/analysis'],
  },
] as const

const POLICY = `1. You use the grid for the work of the collaboration and for nothing else.
2. You keep your passwords, keys and tokens to yourself, and say so at once when one may be in other hands.
3. You respect the data of others and the rules of the sites that store them.
4. The grid notes who did what, to find faults and misuse; what it notes about you, you may see.

一、グリッドは共同研究のためにだけ使います。
二、パスワード・鍵・トークンは他人に渡さず、漏れた疑いがあればすぐに知らせます。
三、他の人のデータと、それを預かる各サイトの規則を尊重します。
四、障害や不正を調べるために利用の記録を残します。自分についての記録は見ることができます。`

/** Groups, a role, a usage policy, and people who have signed it. */
export async function addDemoPeople(identity: Identity, vo: string): Promise<void> {
  await identity.createGroups(vo, [
    { path: `/${vo}/analysis`, description: 'Everybody who analyses data' },
    { path: `/${vo}/analysis/charm`, description: 'Charm physics' },
    { path: `/${vo}/production`, description: 'Those who run productions', role: true },
    { path: `/${vo}/shifts`, description: 'Those who watch the detector', optional: true },
  ])
  await identity.setPeopleSettings(vo, { registrationOpen: true, defaultGroups: [`/${vo}/analysis`] }, 'grid')
  await identity.publishPolicy(vo, { text: POLICY, validityDays: 365, reminderDays: [30, 7, 1] }, 'grid')
  const signatories = [await identity.account(vo, 'admin')]
  for (const { username, groups, ...profile } of PEOPLE) {
    const emails = [{ address: `${username}@example.org` }]
    await identity.createPerson({ vo, username, ...profile, emails }, 'grid')
    const account = await identity.account(vo, username)
    for (const group of groups) await identity.addMembers(vo, `/${vo}${group}`, [account.id])
    signatories.push(account)
  }
  const [, mika] = signatories
  await identity.addManagers(vo, `/${vo}/analysis`, [mika!.id])
  for (const { id, name } of signatories) await identity.signPolicy(id, { by: name })
}
