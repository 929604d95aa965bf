import { describe, expect, it } from 'vitest';
import { createTargetCheck } from '../../../src/app/check-webhook-target.ts';

const check = createTargetCheck({ allowPrivateNetwork: false });

describe('the target of a webhook', () => {
  it.each([
    'http://127.0.0.1/',
    'https://10.0.0.1/hook',
    'https://192.168.1.1:8443/',
    'http://169.254.169.254/latest/meta-data',
    'http://2130706433/',
    'http://0x7f.1/',
    'http://0177.0.0.1/',
    'http://127.0.0.1./',
    'http://[::1]/',
    'http://[::ffff:10.0.0.1]/',
    'http://[64:ff9b::a00:1]/',
    'http://[fd00::1]/',
    'http://0.0.0.0/',
    'http://100.64.0.1/',
    'http://localhost:3000/',
    'http://LOCALHOST./',
    'http://localhost../',
    'http://app.localhost/',
  ])('%s is refused', (url) => {
    expect(check(url)).not.toBeNull();
    expect(createTargetCheck({ allowPrivateNetwork: true })(url)).toBeNull();
  });

  it.each([
    'https://app.example/hook',
    'https://93.184.216.34/',
    'https://[2606:2800:220:1::1]/',
    'http://10.0.0.1.example/',
  ])('%s is taken, and looked at again when a message is sent', (url) => {
    expect(check(url)).toBeNull();
  });
});
