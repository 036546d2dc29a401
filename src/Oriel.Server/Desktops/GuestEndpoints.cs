using System.Globalization;
using System.Text;
using Grpc.Core;
using Oriel.Agents;
using Oriel.Desktops.Registry;
using Oriel.Protocol;
using Oriel.Protocol.Display;
using Oriel.Protocol.Guest;
using Oriel.Server.Http;

namespace Oriel.Server.Desktops;

/// <summary>What is done inside of a ready desktop: commands, files, screenshots.</summary>
internal static class GuestEndpoints
{
    private const long MaxExecBody = 8L * 1024 * 1024;
    private const int MaxThumbnail = 3840;

    public static void MapGuest(this IEndpointRouteBuilder desktop)
    {
        // What a desktop and its agent may answer to each of these.
        var group = desktop.MapGroup("").ProducesProblem(400).ProducesProblem(409).ProducesProblem(410).ProducesProblem(502);
        group
            .MapPost("/exec", ExecAsync)
            .WithName("Exec")
            .WithSummary("Run a command and wait for it")
            .Takes<ExecRequest>(MaxExecBody)
            .Produces<ExecResponse>()
            .ProducesProblem(429);
        group
            .MapPut("/files", PutFileAsync)
            .WithName("PutFile")
            .WithSummary("Write a file from the raw body; offset continues an interrupted put")
            .Accepts<Stream>("*/*")
            .WithMetadata(new Microsoft.AspNetCore.Mvc.DisableRequestSizeLimitAttribute())
            .Produces<FileResponse>()
            .Produces<FileResponse>(201)
            .ProducesProblem(413)
            .ProducesProblem(416);
        group
            .MapGet("/files", GetFileAsync)
            .WithName("GetFile")
            .WithSummary("A file's raw bytes; Range: bytes=N- and N-M are honoured. Of a directory its entries, as JSON")
            .Produces<Stream>(200, "application/octet-stream")
            .Produces<DirectoryResponse>(200, "application/json")
            .Produces<Stream>(206, "application/octet-stream")
            .ProducesProblem(416);
        group.MapFiles();
        group
            .MapGet("/screenshot", ScreenshotAsync)
            .WithName("GetScreenshot")
            .WithSummary("The screen as PNG")
            .Produces<Stream>(200, "image/png");
    }

    private static Task<IResult> ExecAsync(RouteDesktop route, HttpContext context, DesktopService desktops) =>
        WithAgentAsync(
            route,
            desktops,
            context,
            async agent =>
            {
                var (request, problem) = await JsonBody.ReadAsync(context, DesktopsApiJsonContext.Default.ExecRequest);
                if (request is null)
                {
                    return problem!;
                }

                if (ExecRun.Check(request) is { } error)
                {
                    return Problems.BadRequest(error);
                }

                try
                {
                    return Results.Json(await ExecRun.RunAsync(agent, request, context), DesktopsApiJsonContext.Default.ExecResponse);
                }
                catch (RpcException e) when (e.StatusCode == StatusCode.ResourceExhausted)
                {
                    context.Response.Headers.RetryAfter = "1";
                    return Problems.Of(StatusCodes.Status429TooManyRequests, RequestReasons.TooManyCommands, e.Status.Detail);
                }
            }
        );

    private static Task<IResult> PutFileAsync(
        RouteDesktop route,
        HttpContext context,
        DesktopService desktops,
        string? path = null,
        string? mode = null,
        string? owner = null,
        string? offset = null
    )
    {
        long start = 0;
        var error =
            GuestRules.PathProblem(path)
            ?? (CreateRequestValidator.ReadMode(mode) is null ? "mode must be octal, such as 0644" : null)
            ?? (owner is null || CreateRequestValidator.IsOwner(owner) ? null : "owner must be user, root or uid:gid")
            ?? (
                offset is null || long.TryParse(offset, NumberStyles.None, CultureInfo.InvariantCulture, out start)
                    ? null
                    : "offset must be a number of bytes"
            );
        return WithAgentAsync(
            route,
            desktops,
            context,
            async agent =>
            {
                if (error is not null)
                {
                    return Problems.BadRequest(error);
                }

                var header = new PutFileHeader
                {
                    Path = path,
                    Mode = CreateRequestValidator.ReadMode(mode)!.Value,
                    Owner = owner ?? "user",
                    Offset = start,
                    TotalSize = context.Request.ContentLength is { } length ? start + length : -1,
                };
                var (info, created, saved) = await FileTransfer.PutAsync(agent, header, context.Request.Body, context.RequestAborted);
                if (info is null)
                {
                    return Problems.Kept(
                        StatusCodes.Status416RangeNotSatisfiable,
                        RequestReasons.BadRange,
                        $"{saved} bytes of an interrupted put are there: offset must not lie behind them.",
                        saved
                    );
                }

                return Results.Json(
                    new FileResponse(info.Path, info.Size, Convert.ToHexStringLower(info.Sha256.Span)),
                    DesktopsApiJsonContext.Default.FileResponse,
                    statusCode: created ? StatusCodes.Status201Created : StatusCodes.Status200OK
                );
            }
        );
    }

    private static Task<IResult> GetFileAsync(RouteDesktop route, HttpContext context, DesktopService desktops, string? path = null) =>
        WithAgentAsync(
            route,
            desktops,
            context,
            agent =>
                GuestRules.PathProblem(path) is { } error
                    ? Task.FromResult(Problems.BadRequest(error))
                    : FileTransfer.GetAsync(agent, path!, context)
        );

    private static Task<IResult> ScreenshotAsync(RouteDesktop route, HttpContext context, DesktopService desktops, string? width = null) =>
        WithAgentAsync(
            route,
            desktops,
            context,
            async agent =>
            {
                uint most = 0;
                if (
                    width is not null
                    && !(uint.TryParse(width, NumberStyles.None, CultureInfo.InvariantCulture, out most) && most is > 0 and <= MaxThumbnail)
                )
                {
                    return Problems.BadRequest($"width must be 1 to {MaxThumbnail}");
                }

                using var turn = await agent.Budget.TakeTurnAsync(context.RequestAborted);
                var shot = await agent.Display.ScreenshotAsync(
                    new ScreenshotRequest { MaxWidth = most },
                    cancellationToken: context.RequestAborted
                );
                context.Response.ContentType = "image/png";
                await context.Response.Body.WriteAsync(shot.Png.Memory, context.RequestAborted);
                return Results.Empty;
            },
            isUse: false
        );

    /// <param name="error">What is wrong with the request, told only of a desktop that is ready.</param>
    internal static Task<IResult> AskAsync(
        RouteDesktop route,
        HttpContext context,
        DesktopService desktops,
        string? error,
        Func<AgentConnection, Task<IResult>> action,
        bool isUse = true
    ) =>
        WithAgentAsync(
            route,
            desktops,
            context,
            agent => error is null ? action(agent) : Task.FromResult(Problems.BadRequest(error)),
            isUse
        );

    /// <summary>What is asked of a ready desktop's agent; how the agent refuses becomes a problem.</summary>
    internal static async Task<IResult> WithAgentAsync(
        RouteDesktop route,
        DesktopService desktops,
        HttpContext context,
        Func<AgentConnection, Task<IResult>> action,
        bool isUse = true
    )
    {
        // However long it takes: who waits for a command, a transfer or a process uses the desktop.
        using var use = isUse ? route.Desktop.Use() : null;
        try
        {
            return await action(await desktops.ConnectAgentAsync(route.Desktop.Id, context.RequestAborted, isUse));
        }
        catch (DesktopUnavailableException e)
        {
            return Problems.Unavailable(e);
        }
        catch (RpcException) when (context.RequestAborted.IsCancellationRequested)
        {
            return Results.Empty;
        }
        catch (RpcException e) when (!context.Response.HasStarted)
        {
            var (status, reason, detail) = Of(e);
            return Problems.Of(status, reason, detail);
        }
    }

    internal static (int Status, string Reason, string Detail) Of(RpcException e) =>
        e.StatusCode switch
        {
            StatusCode.NotFound => (StatusCodes.Status404NotFound, RequestReasons.NoSuchFile, e.Status.Detail),
            StatusCode.InvalidArgument => (StatusCodes.Status400BadRequest, RequestReasons.BadRequest, e.Status.Detail),
            StatusCode.PermissionDenied => (StatusCodes.Status403Forbidden, RequestReasons.NotPermitted, e.Status.Detail),
            StatusCode.OutOfRange => (StatusCodes.Status416RangeNotSatisfiable, RequestReasons.BadRange, e.Status.Detail),
            StatusCode.FailedPrecondition => (StatusCodes.Status409Conflict, RequestReasons.WrongState, e.Status.Detail),
            StatusCode.AlreadyExists => (StatusCodes.Status409Conflict, RequestReasons.AlreadyExists, e.Status.Detail),
            StatusCode.Aborted => (StatusCodes.Status409Conflict, RequestReasons.PutUnderWay, e.Status.Detail),
            StatusCode.ResourceExhausted => (StatusCodes.Status413PayloadTooLarge, RequestReasons.TooLarge, e.Status.Detail),
            StatusCode.DataLoss => (StatusCodes.Status422UnprocessableEntity, RequestReasons.BadArchive, e.Status.Detail),
            StatusCode.Unavailable or StatusCode.Cancelled => (
                StatusCodes.Status410Gone,
                RequestReasons.DesktopGone,
                $"The desktop's agent does not answer any more ({e.StatusCode}: {e.Status.Detail})."
            ),
            StatusCode.DeadlineExceeded => (
                StatusCodes.Status502BadGateway,
                RequestReasons.GuestError,
                "The desktop's agent did not answer in time."
            ),
            _ => (StatusCodes.Status502BadGateway, RequestReasons.GuestError, $"The guest said {e.StatusCode}: {e.Status.Detail}"),
        };
}

/// <summary>One command in a guest, its output bounded.</summary>
internal static class ExecRun
{
    private const int MaxOutput = 4 * 1024 * 1024;
    private const int MaxArgs = 4096;
    private const double MaxTimeout = 3600;
    private const double DefaultTimeout = 60;
    private const string Utf8 = "utf-8";
    private const string Base64 = "base64";

    public static string? Check(ExecRequest request)
    {
        if (CommandProblem(request.Command) is { } problem)
        {
            return problem;
        }

        if (request.Timeout is { } timeout && !(timeout is > 0 and <= MaxTimeout))
        {
            return $"timeout must be above 0 and at most {MaxTimeout} seconds";
        }

        if (request.Encoding is not (null or Utf8 or Base64))
        {
            return $"encoding must be {Utf8} or {Base64}";
        }

        return SurroundingsProblem(request.Args, request.Env);
    }

    public static string? CommandProblem(string? command) =>
        string.IsNullOrEmpty(command) || command.Contains('\0') ? "command must name a program" : null;

    public static string? SurroundingsProblem(IReadOnlyList<string>? args, IReadOnlyDictionary<string, string>? env) =>
        args is not null && (args.Count > MaxArgs || args.Any(a => a is null || a.Contains('\0')))
            ? $"args must be at most {MaxArgs} texts without NUL"
        : env?.Any(e => e.Key.Length == 0 || e.Key.Contains('=') || e.Value is null) == true ? "env must be names and values"
        : null;

    /// <param name="timeout">Seconds; null: none.</param>
    public static ExecStart StartOf(
        string? command,
        IReadOnlyList<string>? args,
        IReadOnlyDictionary<string, string>? env,
        string? cwd,
        string? user,
        double? timeout
    )
    {
        var start = new ExecStart
        {
            Command = command ?? "",
            Cwd = cwd ?? "",
            User = user ?? "",
            // Rounded up: the agent takes 0 for "none".
            TimeoutMs = (long)Math.Ceiling((timeout ?? 0) * 1000),
        };
        start.Args.AddRange(args ?? []);
        foreach (var (name, value) in env ?? new Dictionary<string, string>())
        {
            start.Env[name] = value;
        }

        return start;
    }

    /// <exception cref="RpcException">The agent refuses, or does not answer.</exception>
    public static async Task<ExecResponse> RunAsync(AgentConnection agent, ExecRequest request, HttpContext context)
    {
        var timeout = request.Timeout ?? DefaultTimeout;
        var start = StartOf(request.Command, request.Args, request.Env, request.Cwd, request.User, timeout);
        var outcome = await agent.ExecAsync(start, Encoding.UTF8.GetBytes(request.Stdin ?? ""), MaxOutput, context.RequestAborted);
        context.Response.RegisterForDispose(outcome);
        var asBase64 = request.Encoding == Base64;
        return new ExecResponse(
            outcome.Exit?.ExitCode ?? -1,
            asBase64 ? Convert.ToBase64String(outcome.Stdout.Span) : Encoding.UTF8.GetString(outcome.Stdout.Span),
            asBase64 ? Convert.ToBase64String(outcome.Stderr.Span) : Encoding.UTF8.GetString(outcome.Stderr.Span),
            outcome.Exit?.TimedOut ?? false,
            outcome.Truncated,
            !asBase64 && !(IsText(outcome.Stdout.Span, outcome.Truncated) && IsText(outcome.Stderr.Span, outcome.Truncated))
        );
    }

    /// <summary>Output that was cut may end within a character.</summary>
    private static bool IsText(ReadOnlySpan<byte> output, bool isCut)
    {
        for (var cut = 0; cut <= (isCut ? 3 : 0) && cut <= output.Length; cut++)
        {
            if (System.Text.Unicode.Utf8.IsValid(output[..^cut]))
            {
                return true;
            }
        }

        return false;
    }
}
