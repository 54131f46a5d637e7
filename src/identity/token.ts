/** The audience that means "every service"; user tokens carry it. */
export const ANY_AUDIENCE = 'https://wlcg.cern.ch/jwt/v1/any'
