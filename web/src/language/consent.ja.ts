import type { Messages } from './en.ts'

export const consent: Messages['consent'] = {
  title: (name) => `${name} がアクセスを求めています`,
  origin: {
    grid: 'このプログラムはグリッド本体のものです。',
    admin: 'このプログラムはコラボレーションの管理者が登録したものです。',
    registered: 'このプログラムは利用者の一人が登録したものです。心当たりがある場合だけ進んでください。',
  },
  account: '対象のアカウント',
  from: '要求元',
  where: '使用先',
  anywhere: 'すべてのサービス',
  scopesTitle: '許可すると次のことができます',
  remember: '同じ内容では次から確認しない',
  approve: '許可する',
  deny: '拒否する',
  wait: 'プログラムに戻ります',
  overTitle: '確認するものはありません',
  over: 'この要求は期限切れか、すでに決定済みです。プログラムからやり直してください。',
  scopes: {
    membership: 'コラボレーションの一員であることの確認',
    groups: '所属グループの確認',
    group: (path) => `${path} のメンバーとしての行動`,
    storage: {
      read: (path) => `${path} 以下のファイルの読み出し`,
      create: (path) => `${path} 以下への新しいファイルの書き込み`,
      modify: (path) => `${path} 以下のファイルの書き込み・置き換え・削除`,
      stage: (path) => `${path} 以下のファイルのオンライン化`,
      poll: (path) => `${path} 以下のファイルがオンラインかどうかの確認`,
    },
    compute: 'あなたのジョブの操作',
    grid: 'このグリッドであなたに許されているすべての操作',
    action: (name) => `グリッドでの操作: ${name}`,
    plain: {
      openid: 'あなたが誰であるかの確認',
      profile: '氏名の参照',
      email: 'メールアドレスの参照',
      offline_access: '取り消すまで、あなたの不在時も継続して動作',
      fts: '転送の依頼',
      'scim:read': '利用者とグループの参照',
      'scim:write': '利用者とグループの変更',
    },
  },
}

export const device: Messages['device'] = {
  title: '機器のログイン',
  intro: 'もう一方の機器のプログラムが表示しているコードを入力してください。',
  code: 'コード',
  submit: '次へ',
  wrong: 'このコードは誤りか、使用済みか、発行から10分を過ぎています。',
  from: (address, at) => `${address}、${at}`,
  beware:
    'ご自身が今このプログラムを起動した場合だけ進んでください。他人から送られたコードは入力しないでください。',
  approved: '完了しました。プログラムに戻ってください。このウィンドウは閉じてかまいません。',
  denied: '拒否しました。プログラムには何も渡りません。このウィンドウは閉じてかまいません。',
}
