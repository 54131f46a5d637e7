import { defineError } from '../kernel/errors.ts'

export const siteNotFound = defineError('missing', 'site_not_found')
export const gatewayNotFound = defineError('missing', 'gateway_not_found')
export const commandNotFound = defineError('missing', 'command_not_found')
export const siteHasNoGateway = defineError('conflict', 'site_has_no_gateway')
