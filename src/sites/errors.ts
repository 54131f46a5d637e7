import { defineError } from '../kernel/errors.ts'

export const noSuchSite = defineError('missing', 'no_such_site')
export const noSuchGateway = defineError('missing', 'no_such_gateway')
export const siteExists = defineError('conflict', 'site_exists')
export const commandFinished = defineError('conflict', 'command_finished')
export const noSuchCommand = defineError('missing', 'no_such_command')
export const badDowntime = defineError('invalid', 'bad_downtime')
export const noSuchDowntime = defineError('missing', 'no_such_downtime')
export const downtimeOver = defineError('conflict', 'downtime_over')
