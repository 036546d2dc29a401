using System.Globalization;
using System.Net.WebSockets;
using Google.Protobuf;
using Grpc.Core;
using Oriel.Agents;
using Oriel.Desktops.Registry;
using Oriel.Protocol;
using Oriel.Protocol.Guest;
using Oriel.Server.Http;

namespace Oriel.Server.Desktops;

/// <summary>
/// Processes of a ready desktop that run whether or not anybody watches them: with pipes, or with a terminal that can be attached to.
/// </summary>
internal static class ProcessEndpoints
{
    private const long MaxBody = 8L * 1024 * 1024;
    private const int MaxSmallBody = 4096;
    private const int InputChunk = 64 * 1024;
    private const string OutputFrom = "X-Oriel-Output-From";
    private const string Bytes = "application/octet-stream";

    public static void MapProcesses(this IEndpointRouteBuilder desktop)
    {
        // What a desktop and its agent may answer to each of these.
        var group = desktop.MapGroup("/processes").ProducesProblem(400).ProducesProblem(409).ProducesProblem(410).ProducesProblem(502);
        group
            .MapPost("", StartAsync)
            .WithName("StartProcess")
            .WithSummary("Start a process and leave it running; with pty=true and no command the user's shell")
            .Takes<ProcessRequest>(MaxBody)
            .Produces<ProcessResponse>(201)
            .ProducesProblem(429);
        group
            .MapGet("", ListAsync)
            .WithName("ListProcesses")
            .WithSummary("The processes that were started here")
            .Produces<ProcessListResponse>();
        group.MapGet("/{process}", GetAsync).WithName("GetProcess").WithSummary("What became of one").Produces<ProcessResponse>();
        group
            .MapDelete("/{process}", RemoveAsync)
            .WithName("RemoveProcess")
            .WithSummary("Kill it with all of its session where it runs, and forget it")
            .Produces(204);
        group
            .MapGet("/{process}/output", GetOutputAsync)
            .WithName("GetProcessOutput")
            .WithSummary(
                $"What it wrote, from a byte on, the newest MiB; follow=true goes on to its exit. {OutputFrom}: where the answer begins"
            )
            .Produces<Stream>(200, Bytes)
            .ProducesProblem(429);
        group
            .MapPost("/{process}/stdin", WriteAsync)
            .WithName("WriteProcess")
            .WithSummary("Give it the raw body to read; end=true ends its input behind it")
            .Accepts<Stream>("*/*")
            .WithMetadata(new Microsoft.AspNetCore.Mvc.DisableRequestSizeLimitAttribute())
            .Produces(204)
            .ProducesProblem(413);
        group
            .MapPost("/{process}/signal", SignalAsync)
            .WithName("SignalProcess")
            .WithSummary("Signal its process group")
            .Takes<SignalBody>(MaxSmallBody)
            .Produces(204);
        group
            .MapPost("/{process}/window", ResizeAsync)
            .WithName("ResizeProcess")
            .WithSummary("Set the size of its terminal")
            .Takes<WindowBody>(MaxSmallBody)
            .Produces(204);
        group
            .MapGet("/{process}/socket", AttachAsync)
            .WithName("AttachProcess")
            .WithSummary($"Its output and input over a WebSocket of the subprotocol {ProcessSocket.Protocol}")
            .Produces(StatusCodes.Status101SwitchingProtocols)
            .ProducesProblem(429);
    }

    /// <summary>Where an agent refuses what is asked of a process; null: as <see cref="GuestEndpoints.Of"/> has it.</summary>
    public static (int Status, string Reason)? Of(RpcException fault) =>
        fault.StatusCode switch
        {
            StatusCode.NotFound => (StatusCodes.Status404NotFound, RequestReasons.NoSuchProcess),
            StatusCode.ResourceExhausted => (StatusCodes.Status429TooManyRequests, RequestReasons.TooManyCommands),
            _ => null,
        };

    private static async Task<IResult> StartAsync(RouteDesktop route, HttpContext context, DesktopService desktops)
    {
        var (request, problem) = await JsonBody.ReadAsync(context, DesktopsApiJsonContext.Default.ProcessRequest);
        return request is null
            ? problem!
            : await AskAsync(
                route,
                context,
                desktops,
                ProcessRules.Check(request),
                async agent =>
                {
                    var info = await agent.Guest.StartProcessAsync(
                        ProcessRules.StartOf(request),
                        cancellationToken: context.RequestAborted
                    );
                    context.Response.Headers.Location = $"{context.Request.PathBase}/api/desktops/{route.Desktop.Id}/processes/{info.Id}";
                    return Results.Json(
                        ProcessResponse.Of(info),
                        DesktopsApiJsonContext.Default.ProcessResponse,
                        statusCode: StatusCodes.Status201Created
                    );
                }
            );
    }

    private static Task<IResult> ListAsync(RouteDesktop route, HttpContext context, DesktopService desktops) =>
        AskAsync(
            route,
            context,
            desktops,
            null,
            async agent =>
                Results.Json(
                    new ProcessListResponse([.. (await ReadAllAsync(agent, context)).Select(ProcessResponse.Of)]),
                    DesktopsApiJsonContext.Default.ProcessListResponse
                ),
            isUse: false
        );

    private static Task<IResult> GetAsync(RouteDesktop route, string process, HttpContext context, DesktopService desktops) =>
        AskAsync(
            route,
            context,
            desktops,
            null,
            async agent =>
                (await ReadAllAsync(agent, context)).FirstOrDefault(info => info.Id == process) is { } found
                    ? Results.Json(ProcessResponse.Of(found), DesktopsApiJsonContext.Default.ProcessResponse)
                    : Problems.Of(StatusCodes.Status404NotFound, RequestReasons.NoSuchProcess, "There is no such process."),
            isUse: false
        );

    private static Task<IResult> RemoveAsync(RouteDesktop route, string process, HttpContext context, DesktopService desktops) =>
        AskAsync(
            route,
            context,
            desktops,
            null,
            async agent =>
            {
                await agent.Guest.RemoveProcessAsync(new RemoveProcessRequest { Id = process }, cancellationToken: context.RequestAborted);
                return Results.NoContent();
            }
        );

    private static Task<IResult> GetOutputAsync(
        RouteDesktop route,
        string process,
        HttpContext context,
        DesktopService desktops,
        string? from = null,
        string? stream = null,
        string? follow = null
    )
    {
        var error =
            OffsetProblem(from, out var offset)
            ?? (stream is null or "stdout" or "stderr" ? null : "stream must be stdout or stderr, or left out for both")
            ?? (follow is null or "true" or "false" ? null : "follow must be true or false");
        return AskAsync(
            route,
            context,
            desktops,
            error,
            async agent =>
            {
                using var call = agent.Guest.WatchProcess(
                    new WatchProcessRequest
                    {
                        Id = process,
                        From = offset,
                        Follow = follow == "true",
                    },
                    cancellationToken: context.RequestAborted
                );
                try
                {
                    await WriteOutputAsync(call.ResponseStream, stream, context);
                }
                catch (RpcException) when (context.Response.HasStarted)
                {
                    // The client must not take what came for the whole.
                    context.Abort();
                }

                return Results.Empty;
            }
        );
    }

    /// <summary>The agent begins with where it begins.</summary>
    private static async Task WriteOutputAsync(IAsyncStreamReader<ProcessOutput> outputs, string? stream, HttpContext context)
    {
        var response = context.Response;
        await foreach (var output in outputs.ReadFairlyAsync(context.RequestAborted))
        {
            if (!response.HasStarted)
            {
                response.ContentType = Bytes;
                response.Headers[OutputFrom] = output.Offset.ToString(CultureInfo.InvariantCulture);
                await response.Body.FlushAsync(context.RequestAborted);
                if (context.WantsHeadOnly())
                {
                    return;
                }
            }

            var bytes = output.KindCase switch
            {
                ProcessOutput.KindOneofCase.Stdout when stream is not "stderr" => output.Stdout,
                ProcessOutput.KindOneofCase.Stderr when stream is not "stdout" => output.Stderr,
                _ => ByteString.Empty,
            };
            if (!bytes.IsEmpty)
            {
                await response.Body.WriteAsync(bytes.Memory, context.RequestAborted);
                await response.Body.FlushAsync(context.RequestAborted);
            }
        }
    }

    private static Task<IResult> WriteAsync(
        RouteDesktop route,
        string process,
        HttpContext context,
        DesktopService desktops,
        string? end = null
    ) =>
        AskAsync(
            route,
            context,
            desktops,
            end is null or "true" or "false" ? null : "end must be true or false",
            async agent =>
            {
                var buffer = new byte[InputChunk];
                for (int count; (count = await context.Request.Body.ReadAsync(buffer, context.RequestAborted)) > 0; )
                {
                    await ControlAsync(agent, process, new ExecInput { Stdin = ByteString.CopyFrom(buffer, 0, count) }, context);
                }

                // Of an empty body, too, it is told whether there is such a process.
                await ControlAsync(
                    agent,
                    process,
                    end == "true" ? new ExecInput { EndOfStdin = true } : new ExecInput { Stdin = ByteString.Empty },
                    context
                );
                return Results.NoContent();
            }
        );

    private static async Task<IResult> SignalAsync(RouteDesktop route, string process, HttpContext context, DesktopService desktops)
    {
        var (request, problem) = await JsonBody.ReadAsync(context, DesktopsApiJsonContext.Default.SignalBody);
        return request is null
            ? problem!
            : await ControlAsync(
                route,
                process,
                context,
                desktops,
                ProcessRules.SignalNumber(request.Signal) is null ? $"signal must be one of {ProcessRules.SignalNames}" : null,
                new ExecInput { Signal = ProcessRules.SignalNumber(request.Signal) ?? 0 }
            );
    }

    private static async Task<IResult> ResizeAsync(RouteDesktop route, string process, HttpContext context, DesktopService desktops)
    {
        var (request, problem) = await JsonBody.ReadAsync(context, DesktopsApiJsonContext.Default.WindowBody);
        return request is null
            ? problem!
            : await ControlAsync(
                route,
                process,
                context,
                desktops,
                ProcessRules.WindowProblem(request.Columns, request.Rows),
                new ExecInput
                {
                    Window = new ExecWindow { Columns = (uint)(request.Columns ?? 0), Rows = (uint)(request.Rows ?? 0) },
                }
            );
    }

    private static Task<IResult> AttachAsync(
        RouteDesktop route,
        string process,
        HttpContext context,
        DesktopService desktops,
        IHostApplicationLifetime lifetime,
        string? from = null
    )
    {
        var error = OffsetProblem(from, out var offset);
        return AskAsync(
            route,
            context,
            desktops,
            error,
            async agent =>
            {
                using var ending = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, lifetime.ApplicationStopping);
                using var call = agent.Guest.WatchProcess(
                    new WatchProcessRequest
                    {
                        Id = process,
                        From = offset,
                        Follow = true,
                    },
                    cancellationToken: ending.Token
                );
                // The agent begins with where it begins: there is such a process.
                if (!await call.ResponseStream.MoveNext(ending.Token))
                {
                    return Problems.Of(StatusCodes.Status502BadGateway, RequestReasons.GuestError, "The guest watches nothing.");
                }

                if (!context.WebSockets.WebSocketRequestedProtocols.Contains(ProcessSocket.Protocol))
                {
                    return Problems.BadRequest($"This is a WebSocket of the subprotocol {ProcessSocket.Protocol}.");
                }

                using var socket = await context.WebSockets.AcceptWebSocketAsync(ProcessSocket.Protocol);
                var attached = new ProcessSocket(
                    socket,
                    async (input, token) =>
                    {
                        var used = await desktops.ConnectAgentAsync(route.Desktop.Id, token);
                        await used.Guest.ControlProcessAsync(new ProcessControl { Id = process, Input = input }, cancellationToken: token);
                    }
                );
                await attached.RunAsync(call.ResponseStream, offset, ending.Token);
                return Results.Empty;
            }
        );
    }

    private static async Task<IEnumerable<ProcessInfo>> ReadAllAsync(AgentConnection agent, HttpContext context) =>
        (await agent.Guest.ListProcessesAsync(new ListProcessesRequest(), cancellationToken: context.RequestAborted)).Processes;

    private static Task<IResult> ControlAsync(
        RouteDesktop route,
        string process,
        HttpContext context,
        DesktopService desktops,
        string? error,
        ExecInput input
    ) =>
        AskAsync(
            route,
            context,
            desktops,
            error,
            async agent =>
            {
                await ControlAsync(agent, process, input, context);
                return Results.NoContent();
            }
        );

    private static async Task ControlAsync(AgentConnection agent, string process, ExecInput input, HttpContext context) =>
        await agent.Guest.ControlProcessAsync(
            new ProcessControl { Id = process, Input = input },
            cancellationToken: context.RequestAborted
        );

    private static Task<IResult> AskAsync(
        RouteDesktop route,
        HttpContext context,
        DesktopService desktops,
        string? error,
        Func<AgentConnection, Task<IResult>> action,
        bool isUse = true
    ) =>
        GuestEndpoints.AskAsync(
            route,
            context,
            desktops,
            error,
            async agent =>
            {
                try
                {
                    return await action(agent);
                }
                catch (RpcException e) when (!context.Response.HasStarted && Of(e) is { } known)
                {
                    if (known.Status == StatusCodes.Status429TooManyRequests)
                    {
                        context.Response.Headers.RetryAfter = "1";
                    }

                    return Problems.Of(known.Status, known.Reason, e.Status.Detail);
                }
            },
            isUse
        );

    private static string? OffsetProblem(string? given, out long offset)
    {
        offset = 0;
        return given is null || long.TryParse(given, NumberStyles.None, CultureInfo.InvariantCulture, out offset)
            ? null
            : "from must be a number of bytes";
    }
}
