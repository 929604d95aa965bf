import { describe, expect, it } from 'vitest';
import { isOrigin } from '../../src/core/origin.ts';

describe('a browser origin', () => {
  it.each([
    'https://app.example.com',
    'https://app.example.com:8443',
    'https://xn--bcher-kva.example',
    'https://[2001:db8::1]',
    'http://localhost',
    'http://localhost:5173',
    'http://127.0.0.1:3000',
    'http://[::1]:3000',
  ])('is %s', (text) => {
    expect(isOrigin(text)).toBe(true);
  });

  it.each([
    ['', 'nothing'],
    ['null', 'what sandboxed pages and files send'],
    ['*', 'everybody'],
    ['app.example.com', 'no scheme'],
    ['https://app.example.com/', 'a slash'],
    ['https://app.example.com/path', 'a path'],
    ['https://app.example.com?x', 'a query'],
    ['https://app.example.com#x', 'a fragment'],
    ['https://app.example.com:443', 'the usual port'],
    ['https://App.example.com', 'upper case'],
    ['HTTPS://app.example.com', 'upper case in the scheme'],
    ['https://user@app.example.com', 'a user'],
    ['https://bücher.example', 'a name that browsers send otherwise'],
    ['https://*.example.com', 'a pattern'],
    [' https://app.example.com', 'a space'],
    ['https://app.example.com, https://evil.example', 'two'],
    ['http://app.example.com', 'plain HTTP'],
    ['http://localhost.example.com', 'plain HTTP of another host'],
    ['http://127.0.0.2', 'plain HTTP of another address'],
    ['file:///tmp/page.html', 'a file'],
    ['chrome-extension://abcdefgh', 'an extension'],
    [`https://${'a'.repeat(300)}.example`, 'too long'],
  ])('is not %j: %s', (text) => {
    expect(isOrigin(text)).toBe(false);
  });
});
