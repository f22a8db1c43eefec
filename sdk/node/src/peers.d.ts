// What the adapters use of frameworks, so that the package is built without them: their own types stand at the user's.

declare module "@langchain/core/messages" {
  export class ToolMessage {
    readonly content: unknown;
    readonly tool_call_id: string;
    readonly status?: "success" | "error";
    readonly artifact?: unknown;
    constructor(fields: {
      content: string;
      tool_call_id: string;
      name?: string;
      status?: "success" | "error";
      artifact?: unknown;
    });
  }
}

declare module "@langchain/langgraph" {
  export function interrupt<I = unknown, R = unknown>(value: I): R;
  export function getConfig(): { configurable?: Record<string, unknown> };
  export class Command {
    constructor(fields: { resume?: unknown });
  }
}

declare module "langchain" {
  import type { ToolMessage } from "@langchain/core/messages";

  export interface AgentMiddleware {
    readonly name: string;
  }
  interface ToolCallRequest {
    readonly toolCall: { readonly name: string; readonly args: Record<string, unknown>; readonly id?: string };
    readonly runtime?: { readonly signal?: AbortSignal };
  }
  export function createMiddleware(config: {
    name: string;
    wrapToolCall: (
      request: ToolCallRequest,
      handler: (request: ToolCallRequest) => ToolMessage | Promise<ToolMessage>,
    ) => Promise<ToolMessage>;
  }): AgentMiddleware;
}
