/** The attribute authority of VOMS: its port, and the files with which clients find and trust it. */
export { registerVomsContact, type VomsContactFacts } from './contact.ts'
export { type VomsServer, type VomsServerOptions, vomsServer } from './server.ts'
