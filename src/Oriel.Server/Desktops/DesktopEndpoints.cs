using System.Text.Json;
using Oriel.Desktops.Keepers;
using Oriel.Desktops.Lifecycle;
using Oriel.Desktops.Loop;
using Oriel.Desktops.Registry;
using Oriel.Desktops.Templates;
using Oriel.Protocol;
using Oriel.Server.Http;

namespace Oriel.Server.Desktops;

/// <summary>Creating, listing, looking at and destroying desktops.</summary>
internal static class DesktopEndpoints
{
    /// <summary>Files of 32 MiB are 43 MiB of base64.</summary>
    private const long MaxCreateBody = 48L * 1024 * 1024;
    private const long MaxForkBody = 4096;
    private const int MaxLogBytes = 64 * 1024;

    public static void MapDesktops(this IEndpointRouteBuilder app)
    {
        var group = app.MapGroup("/api/desktops").WithTags("Desktops");
        group
            .MapPost("", CreateAsync)
            .WithName("CreateDesktop")
            .WithSummary("Create a desktop")
            .WithDescription(
                "Reasons of 409: image-missing, and isolation-unavailable where the template demands a virtual machine that this server cannot give."
            )
            .Takes<CreateDesktopRequest>(MaxCreateBody)
            .Produces<DesktopResponse>(201)
            .ProducesProblem(404)
            .ProducesProblem(409)
            .ProducesProblem(429);
        group
            .MapGet("", List)
            .WithName("ListDesktops")
            .WithSummary("Desktops, newest first")
            .Produces<DesktopListResponse>()
            .ProducesProblem(400);

        var desktop = app.MapDesktopGroup("Desktops");
        desktop.MapGet("", Get).WithName("GetDesktop").WithSummary("One desktop").Produces<DesktopResponse>();
        desktop
            .MapDelete("", DestroyAsync)
            .WithName("DestroyDesktop")
            .WithSummary("Destroy a desktop; idempotent")
            .Produces<DesktopResponse>(202);
        desktop
            .MapPost("/pause", PauseAsync)
            .WithName("PauseDesktop")
            .WithSummary("Freeze a desktop")
            .Produces<DesktopResponse>()
            .ProducesProblem(409);
        desktop
            .MapPost("/resume", ResumeAsync)
            .WithName("ResumeDesktop")
            .WithSummary("Thaw a desktop")
            .Produces<DesktopResponse>()
            .ProducesProblem(409);
        desktop
            .MapPost("/fork", ForkAsync)
            .WithName("ForkDesktop")
            .WithSummary("Create a desktop that continues from this one's state, with an identity of its own")
            .Takes<ForkDesktopRequest>(MaxForkBody)
            .Produces<DesktopResponse>(201)
            .ProducesProblem(409)
            .ProducesProblem(429);
        desktop
            .MapGet("/attestation", Attestation)
            .WithName("GetAttestation")
            .WithSummary("The proofs that it was ready")
            .Produces<AttestationDocument>()
            .ProducesProblem(409);
        desktop.MapGet("/log", Log).WithName("GetLog").WithSummary("Console and keeper log, bounded").Produces<LogResponse>();
        desktop.MapEventStream();
        desktop.MapGuest();
        desktop.MapProcesses();
        desktop.MapEgress();
    }

    private static async Task<IResult> CreateAsync(HttpContext context, DesktopService desktops, TemplateCatalog templates)
    {
        var (request, problem) = await JsonBody.ReadAsync(context, DesktopsApiJsonContext.Default.CreateDesktopRequest);
        if (request is null)
        {
            return problem!;
        }

        var name = request.Template ?? DesktopTemplate.DefaultName;
        if (templates.Find(name) is not { } template)
        {
            return Problems.Of(
                StatusCodes.Status404NotFound,
                RequestReasons.NoSuchTemplate,
                "There is no template of that name (GET /api/templates)."
            );
        }

        var (spec, error) = CreateRequestValidator.Validate(request, template);
        if (spec is null)
        {
            return Problems.BadRequest(error!);
        }

        return Created(context, await desktops.CreateAsync(spec));
    }

    private static async Task<IResult> ForkAsync(RouteDesktop route, HttpContext context, DesktopService desktops)
    {
        var (request, problem) = await JsonBody.ReadAsync(context, DesktopsApiJsonContext.Default.ForkDesktopRequest);
        if (request is null)
        {
            return problem!;
        }

        var name = request.Name ?? CreateRequestValidator.ForkName(route.Desktop.View.Name);
        return CreateRequestValidator.CheckName(name) is { } error
            ? Problems.BadRequest(error)
            : Created(context, await desktops.ForkAsync(route.Desktop, name, context.RequestAborted));
    }

    private static IResult Created(HttpContext context, CreateResult result)
    {
        if (result.Desktop is not { } desktop)
        {
            var status = result.Reason switch
            {
                RequestReasons.BadRequest => StatusCodes.Status400BadRequest,
                RequestReasons.TooManyDesktops => StatusCodes.Status429TooManyRequests,
                _ => StatusCodes.Status409Conflict,
            };
            return Problems.Of(status, result.Reason!, result.Message!);
        }

        context.Response.Headers.Location = $"/api/desktops/{desktop.Id}";
        return Results.Json(
            DesktopResponse.Of(desktop),
            DesktopsApiJsonContext.Default.DesktopResponse,
            statusCode: StatusCodes.Status201Created
        );
    }

    private static IResult List(DesktopService desktops, bool all = false) =>
        Results.Json(
            new DesktopListResponse([.. desktops.List(all).Select(DesktopResponse.Of)]),
            DesktopsApiJsonContext.Default.DesktopListResponse
        );

    private static IResult Get(RouteDesktop route) => Ok(route.Desktop);

    private static async Task<IResult> DestroyAsync(RouteDesktop route, CancellationToken cancellationToken)
    {
        var desktop = route.Desktop;

        // One that is ending already continues to end: the verb is refused, the answer is the same.
        await desktop.DestroyAsync(DesktopReason.Of(ReasonCodes.Requested, "Destroyed on request."), cancellationToken);
        return Results.Json(
            DesktopResponse.Of(desktop),
            DesktopsApiJsonContext.Default.DesktopResponse,
            statusCode: StatusCodes.Status202Accepted
        );
    }

    private static async Task<IResult> PauseAsync(RouteDesktop route, CancellationToken cancellationToken) =>
        Of(route.Desktop, await route.Desktop.PauseAsync(cancellationToken));

    private static async Task<IResult> ResumeAsync(RouteDesktop route, CancellationToken cancellationToken) =>
        Of(route.Desktop, await route.Desktop.ResumeAsync(cancellationToken));

    private static IResult Of(Desktop desktop, VerbResult result) =>
        result.Accepted
            ? Ok(desktop)
            : Problems.Of(
                StatusCodes.Status409Conflict,
                result.Problem is null ? RequestReasons.WrongState : RequestReasons.NotPossibleHere,
                result.Message
            );

    private static IResult Attestation(RouteDesktop route)
    {
        var desktop = route.Desktop;
        return desktop.Attestation is { } document
            ? Results.Json(
                document with
                {
                    Internet = desktop.Egress?.Internet ?? document.Internet,
                },
                DesktopsApiJsonContext.Default.AttestationDocument
            )
            : Problems.Of(StatusCodes.Status409Conflict, RequestReasons.NotReady, "The desktop was not ready yet, so nothing is proven.");
    }

    private static IResult Log(RouteDesktop route, DesktopService desktops)
    {
        var desktop = route.Desktop;
        var bundle = desktops.Options.Layout.BundleOf(desktop.Id.ToString());
        List<string> lines = [.. bundle.TailOfKeeperLog(MaxLogBytes), .. bundle.TailOfConsoleLog(MaxLogBytes)];
        return Results.Json(
            new LogResponse(lines.Count > 0 ? lines : desktop.View.Reason?.Log ?? []),
            DesktopsApiJsonContext.Default.LogResponse
        );
    }

    private static IResult Ok(Desktop desktop) => Results.Json(DesktopResponse.Of(desktop), DesktopsApiJsonContext.Default.DesktopResponse);
}
