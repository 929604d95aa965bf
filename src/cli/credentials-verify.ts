import type { Command } from 'commander';
import type { CredentialVerdict } from '../app/verify-credentials.ts';
import type { ErrorCode } from '../core/error-catalogue.ts';
import { answering, dataCommand, type Answer } from './answer.ts';
import { withWorkspace, type CommandContext } from './command-context.ts';
import { stateFields } from './credential-document.ts';
import { unknownProvider } from './credentials-add.ts';
import { withExamples } from './examples.ts';

/** `rungate credentials verify`: asks the vendor whether it takes each of the provider's credentials, and mends states. */
export function credentialsVerifyCommand(context: CommandContext): Command {
  const command = dataCommand(
    'verify',
    'ask the vendor whether it takes the credentials that new runs may use; good ones are used again, refused ones set aside',
  ).argument('<provider>', "the provider's name");
  withExamples(command, 'credentials verify ai-tutor');
  return answering(command, context, (options, name = '') => {
    return withWorkspace(context, options, async ({ registry, verifyCredentials }) => {
      const configured = await registry();
      const provider = configured.provider(name);
      if (provider === null) throw unknownProvider(configured);
      return answerOf(name, await verifyCredentials(provider));
    });
  });
}

function answerOf(provider: string, found: readonly CredentialVerdict[]): Answer {
  const text = found.map((one) => `${one.verdict}: ${sentenceOf(one)}`).join('\n');
  const document = { object: 'credential_verdicts', provider, data: found.map(verdictDocument) };
  const bad = found.filter(({ verdict }) => verdict !== 'good');
  const [first] = bad;
  if (first === undefined) return { document, text };
  const share = found.length === 1 ? '' : `${bad.length} of ${found.length} credentials are not good. `;
  const message = `${share}${first.verdict}: ${sentenceOf(first)} ${adviceOf(provider, first)}`;
  return { document, text, failure: { code: codeOf(first), message } };
}

function verdictDocument({ credential, origin, verdict, status, state }: CredentialVerdict): object {
  return { object: 'credential_verdict', credential, origin, verdict, status, ...stateFields(state) };
}

function sentenceOf({ verdict, credential, origin, status, fault, state }: CredentialVerdict): string {
  switch (verdict) {
    case 'good':
      return `${origin} takes ${credential}.`;
    case 'refused': {
      const aside = state.is === 'set_aside' ? ' It is set aside.' : '';
      return `${origin} does not take ${credential} (it answered ${status}).${aside}`;
    }
    case 'unreachable':
      return `no answer from ${origin} to ${credential}.`;
    case 'unclear':
      return `${origin} answered ${status}, which says nothing of ${credential}.`;
    case 'unreadable':
      return `${credential} cannot be opened: ${fault}`;
  }
}

function adviceOf(provider: string, { credential, verdict, status }: CredentialVerdict): string {
  switch (verdict) {
    case 'good':
    case 'unclear':
      return 'Try again later.';
    case 'refused':
      if (status === 402) return 'Pay the vendor, then verify it again.';
      if (credential.startsWith('env:')) {
        return `Set ${credential.slice('env:'.length)} to the right value in the server's environment, and start it again.`;
      }
      return `Add the right one with: rungate credentials add ${provider} --stdin`;
    case 'unreachable':
      return 'Look at base_url in rungate.yaml and at the network.';
    case 'unreadable':
      return 'The others can be used all the same.';
  }
}

function codeOf({ verdict, status }: CredentialVerdict): ErrorCode {
  switch (verdict) {
    case 'good':
    case 'unclear':
      return 'upstream_error';
    case 'refused':
      return status === 402 ? 'upstream_payment_required' : 'upstream_auth_failed';
    case 'unreachable':
      return 'upstream_unreachable';
    case 'unreadable':
      return 'vault_unavailable';
  }
}
