import { describe, expect, test } from 'vitest'
import { checkRedirectUri, redirectUriMatches } from './redirect-uri.ts'

describe('where codes may be sent', () => {
  test('is https, the own machine, or an app’s own scheme', () => {
    for (const good of [
      'https://portal.example/callback',
      'https://portal.example:8443/cb?x=1',
      'http://127.0.0.1/callback',
      'http://[::1]:4711/',
      'http://localhost:8080',
      'edu.kit.data.oidc-agent:/redirect',
    ]) {
      expect(() => checkRedirectUri(good), good).not.toThrow()
    }
    for (const bad of [
      'http://portal.example/callback',
      'http://127.0.0.1.evil.example/',
      'http://localhost@evil.example/',
      'https://user:word@portal.example/',
      'https://portal.example/#code',
      'https://*.example/',
      'javascript:alert(1)',
      'data:text/html,x',
      'file:///etc/passwd',
      'vbscript:x',
      'myapp:/callback',
      '/callback',
      '//portal.example/',
      '',
      'https://portal.example/\\evil',
      'https://portal.example/ x',
      'https://portal.example/\nx',
      'https://ポータル.example/',
    ]) {
      expect(() => checkRedirectUri(bad), bad).toThrow(/redirect URI/)
    }
  })
  test('is compared letter by letter', () => {
    const registered = ['https://portal.example/callback']
    expect(redirectUriMatches(registered, 'https://portal.example/callback')).toBe(true)
    for (const other of [
      'https://portal.example/callback/',
      'https://portal.example/callback?x=1',
      'https://portal.example/callback/../evil',
      'https://portal.example/callback%2f',
      'https://PORTAL.example/callback',
      'https://portal.example:443/callback',
      'https://portal.example.evil/callback',
      'https://portal.example/callback#x',
      'http://portal.example/callback',
      '',
    ]) {
      expect(redirectUriMatches(registered, other), other).toBe(false)
    }
  })
  test('on the own machine has any port, and nothing else is free', () => {
    const registered = ['http://127.0.0.1/callback', 'http://[::1]:1/cb']
    for (const good of [
      'http://127.0.0.1:51234/callback',
      'http://127.0.0.1/callback',
      'http://[::1]:9/cb',
    ]) {
      expect(redirectUriMatches(registered, good), good).toBe(true)
    }
    for (const bad of [
      'http://127.0.0.1:51234/other',
      'http://127.0.0.1:99999/callback',
      'http://127.0.0.1:80@evil.example/callback',
      'http://127.0.0.1:51234.evil.example/callback',
      'http://localhost:51234/callback',
      'https://127.0.0.1:51234/callback',
      'http://127.0.0.1:/callback',
      'http://127.0.0.1:5/callback\r\nx',
      'http://127.1:5/callback',
    ]) {
      expect(redirectUriMatches(registered, bad), bad).toBe(false)
    }
    expect(redirectUriMatches(['https://127.0.0.1/callback'], 'https://127.0.0.1:5/callback')).toBe(false)
  })
})
