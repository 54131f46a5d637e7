/** Messages about the own password: changing it, and getting back in without it. */
export const password = {
  title: 'Password',
  hint: 'Your other browsers are logged out when you change it; this one stays.',
  firstHint:
    'You have none yet. Set one within ten minutes after a login; after that, ask for a link with “Forgot the password?” at the login.',
  present: 'Present password',
  next: 'New password',
  nextHint: 'at least 8 characters',
  repeat: 'New password again',
  change: 'Change the password',
  set: 'Set the password',
  changed: 'The password is set.',
  wrong: {
    present: 'This is not your present password.',
    length: 'A password has 8 to 1024 characters.',
    repeat: 'The two passwords differ.',
    tooMany: 'Too many attempts. Wait five minutes and try again.',
    fresh: 'Your login is older than ten minutes. Log in again and set the password then.',
  },
  forgotten: {
    link: 'Forgot the password?',
    title: 'A new password',
    intro: 'We send a link to the address of your account. It works once, for an hour.',
    who: 'User name or e-mail address',
    submit: 'Send the link',
    sent: 'If there is such an account with an address that can be used, a link for a new password was written to it.',
    look: 'Look among the unwanted mails too. No mail? Ask the managers of the collaboration.',
    noMail: (vo: string) =>
      `This grid sends no mail: ask the managers of ${vo} for the link once you have pressed the button. They see it, and hand it over to you.`,
  },
  reset: {
    title: 'Set a new password',
    intro: (vo: string) => `For your account in ${vo}. All browsers and programs are logged out.`,
    done: (name: string) => `Your new password is set. Log in as ${name}.`,
    used: 'This link was used already or is older than an hour.',
    again: 'Ask for a new link',
  },
  send: 'Send a password link',
  sendSure: (who: string) => `Send ${who} a link for a new password? You do not see the password.`,
  sentTo: (address: string) => `The link goes to ${address} and works for an hour.`,
  handOver: (address: string) =>
    `This grid sends no mail. Hand over the link to ${address} that kumi people mails shows; it works for an hour.`,
}
