import type { Command } from 'commander';
import type { CredentialVerdict } from '../app/verify-credential.ts';
import { GatewayError } from '../core/errors.ts';
import { answering, dataCommand } from './answer.ts';
import { withWorkspace, type CommandContext } from './command-context.ts';
import { unknownProvider } from './credentials-add.ts';
import { withExamples } from './examples.ts';

/** `rungate credentials verify`: asks the vendor whether it takes the credential that the next run would use. */
export function credentialsVerifyCommand(context: CommandContext): Command {
  const command = dataCommand(
    'verify',
    'ask the vendor whether it takes the credential that the next run would use',
  ).argument('<provider>', "the provider's name");
  withExamples(command, 'credentials verify ai-tutor');
  return answering(command, context, (options, name = '') => {
    return withWorkspace(context, options, async ({ registry, verifyCredential }) => {
      const configured = await registry();
      const provider = configured.provider(name);
      if (provider === null) throw unknownProvider(configured);
      const found = await verifyCredential(provider);
      if (found.verdict !== 'good') throw notGood(name, found);
      return {
        document: { object: 'credential_verdict', provider: name, ...found },
        text: `good: ${found.origin} takes ${found.credential}.`,
      };
    });
  });
}

function notGood(provider: string, { verdict, credential, origin, status }: CredentialVerdict): GatewayError {
  switch (verdict) {
    case 'refused': {
      const message = `refused: ${origin} does not take ${credential} (it answered ${status}). Add the right one with: rungate credentials add ${provider} --stdin`;
      return new GatewayError('upstream_auth_failed', { message, provider });
    }
    case 'unreachable': {
      const message = `unreachable: no answer from ${origin}. Look at base_url in rungate.yaml and at the network.`;
      return new GatewayError('upstream_unreachable', { message, provider });
    }
    case 'good':
    case 'unclear': {
      const message = `unclear: ${origin} answered ${status}, which says nothing of ${credential}. Try again later.`;
      return new GatewayError('upstream_error', { message, provider });
    }
  }
}
