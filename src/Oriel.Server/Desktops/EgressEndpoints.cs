using Oriel.Desktops.Lifecycle;
using Oriel.Desktops.Loop;
using Oriel.Egress.Policy;
using Oriel.Protocol;
using Oriel.Server.Http;

namespace Oriel.Server.Desktops;

/// <summary>What a desktop may reach, and what it did.</summary>
internal static class EgressEndpoints
{
    private const long MaxBody = 256 * 1024;

    public static void MapEgress(this IEndpointRouteBuilder group)
    {
        group
            .MapGet("/egress", GetAsync)
            .WithName("GetEgress")
            .WithSummary("Policy, counters and log of a desktop's way out")
            .Produces<EgressResponse>();
        group
            .MapPut("/egress", PutAsync)
            .WithName("SetEgress")
            .WithSummary("Replace the policy; open connections that it refuses are cut")
            .Takes<EgressPolicy>(MaxBody)
            .Produces<EgressResponse>()
            .ProducesProblem(410);
    }

    private static async Task<IResult> GetAsync(RouteDesktop route, CancellationToken cancellationToken)
    {
        var desktop = route.Desktop;
        await desktop.RefreshCountersAsync(cancellationToken);
        return Answer(desktop);
    }

    private static async Task<IResult> PutAsync(RouteDesktop route, HttpContext context)
    {
        var (policy, unreadable) = await JsonBody.ReadAsync(context, DesktopsApiJsonContext.Default.EgressPolicy);
        if (policy is null)
        {
            return unreadable!;
        }

        if (policy.Validate() is { } error)
        {
            return Problems.BadRequest(error);
        }

        var desktop = route.Desktop;
        if (desktop.View.State is DesktopState.Failed or DesktopState.Destroying or DesktopState.Destroyed)
        {
            return Problems.Of(StatusCodes.Status410Gone, RequestReasons.DesktopGone, $"The desktop is {desktop.View.State.Name()}.");
        }

        await desktop.SetEgressPolicyAsync(policy, context.RequestAborted);
        return Answer(desktop, policy);
    }

    private static IResult Answer(Desktop desktop, EgressPolicy? policy = null)
    {
        var session = desktop.Egress;
        return Results.Json(
            new EgressResponse(
                (policy ?? desktop.EgressPolicy).WithoutSecrets(),
                session?.Connections ?? 0,
                desktop.Counters,
                session?.Internet ?? "unknown",
                session?.Log.Snapshot() ?? []
            ),
            DesktopsApiJsonContext.Default.EgressResponse
        );
    }
}
