import type { Command } from 'commander';
import type { ErrorCode } from '../core/error-catalogue.ts';
import type { CredentialVerdict } from '../vault/credential-verdict.ts';
import { renderVerdict } from '../vault/render-credential.ts';
import { answering, dataCommand, type Answer } from './answer.ts';
import { withWorkspace, type CommandContext } from './command-context.ts';
import { withExamples } from './examples.ts';

/** `rungate credentials verify`: asks the vendor whether it takes each of the provider's credentials, and mends states. */
export function credentialsVerifyCommand(context: CommandContext): Command {
  const command = dataCommand(
    'verify',
    'ask the vendor whether it takes the credentials that new runs may use; good ones are used again, refused ones set aside',
  ).argument('<provider>', "the provider's name");
  withExamples(command, 'credentials verify ai-tutor');
  return answering(command, context, (options, name = '') => {
    // References are verified before the first start of a server.
    return withWorkspace(context, { ...options, mayMakeDatabase: true }, async ({ credentials, actor }) => {
      return answerOf(name, await credentials.verify(name, actor));
    });
  });
}

function answerOf(provider: string, found: readonly CredentialVerdict[]): Answer {
  const text = found.map((one) => `${one.verdict}: ${sentenceOf(one)}`).join('\n');
  const document = { object: 'credential_verdicts', provider, data: found.map(renderVerdict) };
  const bad = found.filter(({ verdict }) => verdict !== 'good');
  const [first] = bad;
  if (first === undefined) return { document, text };
  const share = found.length === 1 ? '' : `${bad.length} of ${found.length} credentials are not good. `;
  const message = `${share}${first.verdict}: ${sentenceOf(first)} ${adviceOf(provider, first, found)}`.trimEnd();
  return { document, text, failure: { code: codeOf(first), message } };
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
      return `${credential} cannot be opened. ${fault}`;
  }
}

function adviceOf(
  provider: string,
  { credential, verdict, status }: CredentialVerdict,
  found: readonly CredentialVerdict[],
): string {
  switch (verdict) {
    case 'good':
    case 'unclear':
      return 'Try again later.';
    case 'refused':
      if (status === 402) return 'Pay the vendor, then verify it again.';
      if (credential.startsWith('env:')) {
        return `Set ${credential.slice('env:'.length)} to the right value in the server's environment, and start it again.`;
      }
      if (credential.startsWith('file:')) return `Write the right one into ${credential.slice('file:'.length)}.`;
      if (credential.startsWith('vault:')) return `Write the right one to ${credential.slice('vault:'.length)} there.`;
      return `Add the right one with: rungate credentials add ${provider} --stdin`;
    case 'unreachable':
      return 'Look at base_url in rungate.yaml and at the network.';
    case 'unreadable':
      return found.some((one) => one.verdict === 'good') ? 'The good ones can be used all the same.' : '';
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
