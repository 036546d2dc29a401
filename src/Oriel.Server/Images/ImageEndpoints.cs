using System.Text.Json.Serialization;
using Oriel.Desktops.Node;
using Oriel.Desktops.Pool;
using Oriel.Desktops.Registry;
using Oriel.Desktops.Snapshots;
using Oriel.Desktops.Templates;
using Oriel.Egress.Policy;
using Oriel.Images.Store;
using Oriel.Protocol.Keeper;

namespace Oriel.Server.Images;

internal static class ImageEndpoints
{
    public static void MapImages(this IEndpointRouteBuilder app)
    {
        app.MapGet("/api/images", Images)
            .WithTags("Images")
            .WithName("ListImages")
            .WithSummary("Golden images")
            .Produces<ImageListResponse>();
        app.MapGet("/api/templates", Templates)
            .WithTags("Templates")
            .WithName("ListTemplates")
            .WithSummary("What desktops can be made from")
            .Produces<TemplateListResponse>();
        app.MapGet("/api/pool", Pool)
            .WithTags("Templates")
            .WithName("GetPool")
            .WithSummary("Desktops that wait, booted, to be claimed")
            .Produces<PoolResponse>();
    }

    private static async Task<IResult> Images(
        ImageStore store,
        DesktopService desktops,
        TimeProvider clock,
        CancellationToken cancellationToken
    )
    {
        var images = new List<ImageResponse>();
        foreach (var image in store.List())
        {
            var usable = store.IsUsable(image);
            images.Add(
                new ImageResponse(
                    image.Name,
                    image.Digest,
                    image.Size,
                    image.CreatedAt,
                    image.IsOld(clock.GetUtcNow()),
                    usable,
                    usable ? null : image.BootTest?.Reason ?? "not boot-tested yet",
                    image.Packages.Count,
                    await desktops.Snapshots.ListAsync(image, cancellationToken)
                )
            );
        }

        return Results.Json(new ImageListResponse(images), ImagesApiJsonContext.Default.ImageListResponse);
    }

    private static IResult Templates(TemplateCatalog templates, DesktopOptions options) =>
        Results.Json(
            new TemplateListResponse([
                .. templates
                    .All.OrderBy(t => t.Name, StringComparer.Ordinal)
                    .Select(t => new TemplateResponse(
                        t.Name,
                        t.Image,
                        t.Width,
                        t.Height,
                        (int?)t.Ttl?.TotalSeconds,
                        (int?)t.IdleTimeout?.TotalSeconds,
                        (int?)t.IdlePause?.TotalSeconds,
                        t.Warm,
                        DiskBytesOf(t, options),
                        TemplateFile.IsolationOf(t),
                        t.Egress.WithoutSecrets()
                    )),
            ]),
            ImagesApiJsonContext.Default.TemplateListResponse
        );

    private static long? DiskBytesOf(DesktopTemplate template, DesktopOptions options) =>
        !options.Driver.HasScratchDisk ? null
        : template.Limits.DiskBytes > 0 ? template.Limits.DiskBytes
        : KeeperLimits.DefaultDiskBytes;

    private static IResult Pool(DesktopService desktops) =>
        Results.Json(new PoolResponse(desktops.Pool), ImagesApiJsonContext.Default.PoolResponse);
}

/// <param name="Size">Bytes.</param>
/// <param name="Old">More than a week old: security fixes may be missing in it.</param>
/// <param name="Reason">Why it is not usable.</param>
/// <param name="Packages">How many.</param>
/// <param name="Snapshots">Machines of it that were kept at the barrier, newest first.</param>
internal sealed record ImageResponse(
    string Name,
    string Digest,
    long Size,
    DateTimeOffset CreatedAt,
    bool Old,
    bool Usable,
    string? Reason,
    int Packages,
    IReadOnlyList<SnapshotSummary> Snapshots
);

internal sealed record ImageListResponse(IReadOnlyList<ImageResponse> Images);

/// <param name="Ttl">Seconds; null = for ever.</param>
/// <param name="Warm">How many should wait, booted.</param>
/// <param name="DiskBytes">Most that a desktop's own disk holds; null where desktops have none and write to the server's
/// (containers).</param>
/// <param name="Isolation"><c>any</c>, or <c>vm</c>: a virtual machine or nothing.</param>
internal sealed record TemplateResponse(
    string Name,
    string Image,
    int Width,
    int Height,
    int? Ttl,
    int? IdleTimeout,
    int? IdlePause,
    int Warm,
    long? DiskBytes,
    string Isolation,
    EgressPolicy Egress
);

internal sealed record TemplateListResponse(IReadOnlyList<TemplateResponse> Templates);

internal sealed record PoolResponse(IReadOnlyList<PoolState> Templates);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(ImageListResponse))]
[JsonSerializable(typeof(TemplateListResponse))]
[JsonSerializable(typeof(PoolResponse))]
internal sealed partial class ImagesApiJsonContext : JsonSerializerContext;
