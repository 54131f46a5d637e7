import type { Ending } from './person.ts'

export interface MailText {
  readonly subject: string
  readonly body: string
}

/** What a mail says, in each language of the grid. */
export interface MailTexts {
  readonly en: MailText
  readonly ja: MailText
}

const day = (at: Date): string => at.toISOString().slice(0, 10)

export const registrationConfirm = (vo: string, username: string, link: string): MailTexts => ({
  en: {
    subject: `Confirm your registration in ${vo}`,
    body: `Somebody, hopefully you, asked for an account "${username}" in ${vo}.\nConfirm your address: ${link}\nIf it was not you, do nothing.`,
  },
  ja: {
    subject: `${vo} への登録の確認`,
    body: `${vo} のアカウント「${username}」の登録申請がありました。\n次のリンクでメールアドレスを確認してください: ${link}\nお心当たりがない場合は、何もする必要はありません。`,
  },
})

export const addressConfirm = (vo: string, username: string, link: string): MailTexts => ({
  en: {
    subject: `Confirm your address in ${vo}`,
    body: `The account "${username}" in ${vo} has this address now.\nConfirm it within a week: ${link}\nIf that is not your account, do nothing.`,
  },
  ja: {
    subject: `${vo} のメールアドレスの確認`,
    body: `${vo} のアカウント「${username}」にこのメールアドレスが登録されました。\n一週間以内に次のリンクで確認してください: ${link}\nお心当たりがない場合は、何もする必要はありません。`,
  },
})

export const registrationWaits = (vo: string, username: string): MailTexts => ({
  en: {
    subject: `${username} would like to join ${vo}`,
    body: `Approve or reject the registration in the console, or with: kumi people approve ${username}`,
  },
  ja: {
    subject: `${username} さんが ${vo} への参加を希望しています`,
    body: `コンソール、または次のコマンドで承認または却下してください: kumi people approve ${username}`,
  },
})

export const registrationApproved = (vo: string, username: string): MailTexts => ({
  en: { subject: `Welcome to ${vo}`, body: `Your account "${username}" in ${vo} is ready.` },
  ja: { subject: `${vo} へようこそ`, body: `${vo} のアカウント「${username}」が使えるようになりました。` },
})

export const registrationRejected = (vo: string, username: string, reason: string): MailTexts => ({
  en: {
    subject: `Your registration in ${vo}`,
    body: `Your registration as "${username}" in ${vo} was not accepted.\nReason: ${reason}`,
  },
  ja: {
    subject: `${vo} への登録について`,
    body: `${vo} への「${username}」の登録は承認されませんでした。\n理由: ${reason}`,
  },
})

export const groupRequestWaits = (username: string, group: string, id: string): MailTexts => ({
  en: {
    subject: `${username} would like to join ${group}`,
    body: `Approve or reject the request in the console, or with: kumi group approve ${id}`,
  },
  ja: {
    subject: `${username} さんが ${group} への参加を希望しています`,
    body: `コンソール、または次のコマンドで承認または却下してください: kumi group approve ${id}`,
  },
})

export const groupRequestDecided = (group: string, approved: boolean, reason: string): MailTexts => ({
  en: {
    subject: `Your request for ${group}`,
    body: approved ? 'You are a member now.' : `It was not accepted. Reason: ${reason}`,
  },
  ja: {
    subject: `${group} への参加申請について`,
    body: approved ? '参加が承認されました。' : `申請は承認されませんでした。理由: ${reason}`,
  },
})

export const policyReminder = (vo: string, endsAt: Date): MailTexts => ({
  en: {
    subject: `Sign the usage policy of ${vo} again before ${day(endsAt)}`,
    body: `Your signature under the usage policy of ${vo} counts until ${day(endsAt)}. Sign again in the console, or with: kumi policy sign`,
  },
  ja: {
    subject: `${day(endsAt)} までに ${vo} の利用規約に再署名してください`,
    body: `${vo} の利用規約への署名は ${day(endsAt)} まで有効です。コンソール、または次のコマンドで再署名してください: kumi policy sign`,
  },
})

export function membershipEnds(
  vo: string,
  username: string,
  step: Exclude<Ending, 'REMOVED'>,
  facts: { endTime: Date; graceDays: number },
): MailTexts {
  const { endTime, graceDays } = facts
  const next = {
    PENDING_SUSPENSION: {
      en: `Your account "${username}" will be suspended in ${graceDays} days.`,
      ja: `アカウント「${username}」は ${graceDays} 日後に停止されます。`,
    },
    SUSPENDED: {
      en: `Your account "${username}" is suspended now.`,
      ja: `アカウント「${username}」は停止されました。`,
    },
    PENDING_REMOVAL: {
      en: `Your account "${username}" will be removed in ${graceDays} days.`,
      ja: `アカウント「${username}」は ${graceDays} 日後に削除されます。`,
    },
  }[step]
  return {
    en: {
      subject: `Your membership in ${vo}`,
      body: `Your membership in ${vo} ended on ${day(endTime)}.\n${next.en}\nIf you are still with us, ask the managers of ${vo} to prolong it.`,
    },
    ja: {
      subject: `${vo} の在籍期間について`,
      body: `${vo} の在籍期間は ${day(endTime)} に終了しました。\n${next.ja}\n引き続き在籍される場合は、${vo} の管理者に延長を依頼してください。`,
    },
  }
}
