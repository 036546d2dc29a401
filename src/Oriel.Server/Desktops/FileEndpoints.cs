using System.Globalization;
using Grpc.Core;
using Oriel.Agents;
using Oriel.Desktops.Registry;
using Oriel.Protocol;
using Oriel.Protocol.Guest;
using Oriel.Server.Http;

namespace Oriel.Server.Desktops;

/// <summary>Files of a ready desktop, beside their content: what they are, where they are, how they change, and whole folders.</summary>
internal static class FileEndpoints
{
    /// <summary>Two paths, each of whose bytes may be an escape of six.</summary>
    private const long MaxMoveBody = 64 * 1024;
    private const string LeftOut = "X-Oriel-Left-Out";
    private const string Tar = "application/x-tar";

    public static void MapFiles(this IEndpointRouteBuilder group)
    {
        group
            .MapDelete("/files", RemoveAsync)
            .WithName("RemoveFile")
            .WithSummary("Remove a file, a link itself, or with recursive=true a directory with all that is in it")
            .Produces(204);
        group
            .MapGet("/files/stat", StatAsync)
            .WithName("StatFile")
            .WithSummary("What a path is, of a link the link itself")
            .Produces<FileStatResponse>();
        group
            .MapPost("/files/directories", MakeDirectoryAsync)
            .WithName("MakeDirectory")
            .WithSummary("Make a directory with those above it; idempotent")
            .Produces<FileStatResponse>()
            .Produces<FileStatResponse>(201)
            .ProducesProblem(413);
        group
            .MapPost("/files/move", MoveAsync)
            .WithName("MoveFile")
            .WithSummary("Move or rename; overwrites only if asked to")
            .Takes<MoveFileBody>(MaxMoveBody)
            .Produces<FileStatResponse>();
        group
            .MapGet("/files/watch", WatchAsync)
            .WithName("WatchFiles")
            .WithSummary("Changes in a directory, with recursive=true also below it, as they happen (text/event-stream)")
            .Produces<string>(200, ServerSentEvents.MediaType)
            .ProducesProblem(429);
        group
            .MapGet("/files/archive", GetArchiveAsync)
            .WithName("GetArchive")
            .WithSummary($"What is below a directory, as tar; {LeftOut} says how much is left out")
            .Produces<Stream>(200, Tar)
            .ProducesProblem(413);
        group
            .MapPut("/files/archive", PutArchiveAsync)
            .WithName("PutArchive")
            .WithSummary("Unpack a tar below a directory; nothing in it can leave the directory")
            .Accepts<Stream>("*/*")
            .WithMetadata(new Microsoft.AspNetCore.Mvc.DisableRequestSizeLimitAttribute())
            .Produces<ArchiveResponse>()
            .ProducesProblem(413)
            .ProducesProblem(422);
    }

    private static Task<IResult> RemoveAsync(
        RouteDesktop route,
        HttpContext context,
        DesktopService desktops,
        string? path = null,
        string? recursive = null
    ) =>
        GuestEndpoints.AskAsync(
            route,
            context,
            desktops,
            GuestRules.PathProblem(path) ?? FlagProblem(recursive),
            async agent =>
            {
                await agent.Guest.RemoveFileAsync(
                    new RemoveFileRequest { Path = path, Recursive = IsSet(recursive) },
                    cancellationToken: context.RequestAborted
                );
                return Results.NoContent();
            }
        );

    private static Task<IResult> StatAsync(RouteDesktop route, HttpContext context, DesktopService desktops, string? path = null) =>
        GuestEndpoints.AskAsync(
            route,
            context,
            desktops,
            GuestRules.PathProblem(path),
            async agent => Results.Json(await DescribeAsync(agent, path!, context), DesktopsApiJsonContext.Default.FileStatResponse)
        );

    private static Task<IResult> MakeDirectoryAsync(
        RouteDesktop route,
        HttpContext context,
        DesktopService desktops,
        string? path = null,
        string? mode = null,
        string? owner = null
    ) =>
        GuestEndpoints.AskAsync(
            route,
            context,
            desktops,
            GuestRules.PathProblem(path) ?? ModeProblem(mode) ?? OwnerProblem(owner),
            async agent =>
            {
                var reply = await agent.Guest.MakeDirectoryAsync(
                    new MakeDirectoryRequest
                    {
                        Path = path,
                        Mode = mode is null ? GuestRules.DefaultDirectoryMode : CreateRequestValidator.ReadMode(mode)!.Value,
                        Owner = owner ?? "user",
                    },
                    cancellationToken: context.RequestAborted
                );
                return Results.Json(
                    Response(reply.Info ?? new Oriel.Protocol.Guest.FileInfo()),
                    DesktopsApiJsonContext.Default.FileStatResponse,
                    statusCode: reply.Created ? StatusCodes.Status201Created : StatusCodes.Status200OK
                );
            }
        );

    private static async Task<IResult> MoveAsync(RouteDesktop route, HttpContext context, DesktopService desktops)
    {
        var (request, problem) = await JsonBody.ReadAsync(context, DesktopsApiJsonContext.Default.MoveFileBody);
        return request is null
            ? problem!
            : await GuestEndpoints.AskAsync(
                route,
                context,
                desktops,
                Named("from", GuestRules.PathProblem(request.From)) ?? Named("to", GuestRules.PathProblem(request.To)),
                async agent =>
                {
                    await agent.Guest.MoveFileAsync(
                        new MoveFileRequest
                        {
                            From = request.From,
                            To = request.To,
                            Overwrite = request.Overwrite,
                        },
                        cancellationToken: context.RequestAborted
                    );
                    return Results.Json(await DescribeAsync(agent, request.To!, context), DesktopsApiJsonContext.Default.FileStatResponse);
                }
            );
    }

    private static Task<IResult> WatchAsync(
        RouteDesktop route,
        HttpContext context,
        DesktopService desktops,
        IHostApplicationLifetime lifetime,
        string? path = null,
        string? recursive = null
    ) =>
        GuestEndpoints.AskAsync(
            route,
            context,
            desktops,
            GuestRules.PathProblem(path) ?? FlagProblem(recursive),
            agent =>
                FileChangeStream.WriteAsync(
                    agent,
                    new WatchFilesRequest { Path = path, Recursive = IsSet(recursive) },
                    context,
                    lifetime.ApplicationStopping
                )
        );

    private static Task<IResult> GetArchiveAsync(RouteDesktop route, HttpContext context, DesktopService desktops, string? path = null) =>
        GuestEndpoints.AskAsync(
            route,
            context,
            desktops,
            GuestRules.PathProblem(path),
            async agent =>
            {
                var hasBegun = false;
                try
                {
                    await agent.CopyArchiveAsync(
                        path!,
                        summary =>
                        {
                            hasBegun = true;
                            context.Response.ContentType = Tar;
                            context.Response.Headers.ContentDisposition = "attachment";
                            context.Response.Headers[LeftOut] = summary.LeftOut.ToString(CultureInfo.InvariantCulture);
                            return context.WantsHeadOnly() ? null : context.Response.Body;
                        },
                        context.RequestAborted
                    );
                }
                catch (RpcException) when (context.Response.HasStarted)
                {
                    // The client must not take what came for the whole.
                    context.Abort();
                }

                return hasBegun
                    ? Results.Empty
                    : Problems.Of(StatusCodes.Status502BadGateway, RequestReasons.GuestError, "The guest sent no archive.");
            }
        );

    private static Task<IResult> PutArchiveAsync(
        RouteDesktop route,
        HttpContext context,
        DesktopService desktops,
        string? path = null,
        string? owner = null
    ) =>
        GuestEndpoints.AskAsync(
            route,
            context,
            desktops,
            GuestRules.PathProblem(path) ?? OwnerProblem(owner),
            async agent =>
            {
                var summary = await agent.PutArchiveAsync(
                    new PutArchiveHeader { Path = path, Owner = owner ?? "user" },
                    context.Request.Body,
                    context.RequestAborted
                );
                return Results.Json(
                    new ArchiveResponse(path!, summary.Files, summary.Directories, summary.Links, summary.Bytes, summary.LeftOut),
                    DesktopsApiJsonContext.Default.ArchiveResponse
                );
            }
        );

    private static async Task<FileStatResponse> DescribeAsync(AgentConnection agent, string path, HttpContext context) =>
        Response(
            await agent.Guest.StatFileAsync(new StatFileRequest { Path = path, OfLink = true }, cancellationToken: context.RequestAborted)
        );

    private static FileStatResponse Response(Oriel.Protocol.Guest.FileInfo info) =>
        new(
            info.Path,
            FileTransfer.TypeName(info.Type),
            info.Size,
            FileTransfer.ModeText(info.Mode),
            info.Uid,
            info.Gid,
            FileTransfer.Time(info.ModifiedUs),
            info.Type == FileType.Link ? info.LinkTarget : null
        );

    private static string? Named(string name, string? problem) => problem is null ? null : $"{name}: {problem}";

    private static string? ModeProblem(string? mode) =>
        CreateRequestValidator.ReadMode(mode) is null ? "mode must be octal, such as 0755" : null;

    private static string? OwnerProblem(string? owner) =>
        owner is null || CreateRequestValidator.IsOwner(owner) ? null : "owner must be user, root or uid:gid";

    private static string? FlagProblem(string? recursive) =>
        recursive is null or "true" or "false" ? null : "recursive must be true or false";

    private static bool IsSet(string? flag) => flag == "true";
}
