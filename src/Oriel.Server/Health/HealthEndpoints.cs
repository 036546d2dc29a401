using System.Text.Json.Serialization;
using Oriel.Desktops.Registry;
using Oriel.Images.Store;
using Oriel.Protocol;

namespace Oriel.Server.Health;

/// <summary>Whether the server lives, and whether it could make a desktop now.</summary>
internal static class HealthEndpoints
{
    public static void MapHealth(this IEndpointRouteBuilder app)
    {
        app.MapGet("/health/live", () => Results.Json(new HealthResponse("live", []), HealthJsonContext.Default.HealthResponse))
            .WithTags("Health")
            .WithName("Live")
            .WithSummary("The process answers")
            .Produces<HealthResponse>();
        app.MapGet("/health/ready", ReadyAsync)
            .WithTags("Health")
            .WithName("Ready")
            .WithSummary("Desktops can be made and shown")
            .Produces<HealthResponse>()
            .Produces<HealthResponse>(503);
    }

    private static async Task<IResult> ReadyAsync(
        DesktopService desktops,
        ImageStore images,
        IEnumerable<IHealthProbe> probes,
        CancellationToken cancellationToken
    )
    {
        var checks = new List<HealthCheck>
        {
            images.List().Any(images.IsUsable)
                ? new HealthCheck("image", true, null)
                : new HealthCheck("image", false, "No usable image: ./oriel image build images/desktop"),
            File.Exists(desktops.Options.Layout.EgressSocket)
                ? new HealthCheck("egress", true, null)
                : new HealthCheck("egress", false, "The egress socket is not there."),
        };
        foreach (var probe in probes)
        {
            var problem = await probe.CheckAsync(cancellationToken);
            checks.Add(new HealthCheck(probe.Name, problem is null, problem));
        }

        var ready = checks.TrueForAll(c => c.Ok);
        return Results.Json(
            new HealthResponse(ready ? "ready" : RequestReasons.NotReady, checks),
            HealthJsonContext.Default.HealthResponse,
            statusCode: ready ? 200 : 503
        );
    }
}

/// <summary>A further part that must be well for the server to be ready, such as the WebRTC port.</summary>
public interface IHealthProbe
{
    string Name { get; }

    /// <returns>What is wrong, or null.</returns>
    ValueTask<string?> CheckAsync(CancellationToken cancellationToken);
}

internal sealed record HealthCheck(string Name, bool Ok, string? Detail);

internal sealed record HealthResponse(string Status, IReadOnlyList<HealthCheck> Checks);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(HealthResponse))]
internal sealed partial class HealthJsonContext : JsonSerializerContext;
