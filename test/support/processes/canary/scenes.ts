/** What a vendor does with a request. */
export const SCENES = [
  'fine',
  'escaped',
  'stream',
  'status-400',
  'html',
  'stream-cut',
  'not-json',
  'fine',
  'status-404',
  'cut-in-body',
  'status-409',
  'stream',
  'stream-escaped',
  'status-422',
  'reset',
  'redirect',
  'status-500',
  'silent',
  'status-503',
  'escaped',
  'stream',
  // After these the credential is left alone for a while.
  'status-429',
  'status-402',
  'status-403',
  'status-401',
] as const;
export type Scene = (typeof SCENES)[number];
export type StatusScene = Extract<Scene, `status-${string}`>;

export function isStatus(scene: Scene): scene is StatusScene {
  return scene.startsWith('status-');
}

const OBJECT_ID = '5eb7cf5a86d9755df3a6c593';

interface Wanted {
  method: string;
  /** Without the vendor's name in front. */
  path: string;
  echo: string;
}

/** An answer of success, as each kind documents it, with the echo in every value and key where one may be. */
export function successOf(kind: string, { method, path, echo }: Wanted): object {
  switch (kind.replace(/-(?:stored|down)$/, '')) {
    case 'ai-tutor':
      return {
        success: true,
        result: echo,
        citations: [echo, `https://x.example/?k=${echo}`],
        [echo]: echo,
        nested: { [echo]: [echo] },
      };
    case 'draft-and-goal':
      if (method === 'POST') return { success: true, data: { id: `run-${Date.now()}`, echo }, message: echo };
      return {
        success: true,
        data: {
          state: Date.now() % 2 === 0 ? 'DONE' : 'FAILED',
          error: { message: echo, detail: echo },
          completed_steps: [
            { step_id: echo, node_id: 'n1', downloadable_output: true, output: echo },
            { node_id: echo, output: { [echo]: echo } },
          ],
          failed_steps: [{ error: echo }],
        },
      };
    case 'b3os':
      if (method === 'POST')
        return { code: 200, success: true, requestId: echo.slice(0, 150), data: { runId: `run_v${Date.now()}` } };
      return {
        code: 200,
        success: true,
        requestId: echo.slice(0, 150),
        data: {
          status: Date.now() % 2 === 0 ? 'success' : 'failure',
          error: { message: echo },
          executionState: { [echo]: { error: echo, result: echo } },
          message: echo,
        },
      };
    default:
      return {
        workflow_run: {
          _id: OBJECT_ID,
          workflow_run: {
            status: Date.now() % 2 === 0 ? 'completed' : 'waiting_for_user_input',
            next_input_hint: echo,
            termination_source: echo,
            input_output_pairs: [
              {
                run_output: {
                  events: [
                    { type: 'assistant_response', content: echo },
                    { type: echo, content: echo },
                    { type: 'workflow_error', error_message: echo },
                  ],
                  thread_to_node_outputs: { [echo]: { value: echo } },
                },
              },
            ],
          },
        },
        path,
      };
  }
}
