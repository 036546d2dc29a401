using Microsoft.OpenApi;
using Oriel.Desktops.Loop;
using Oriel.Desktops.Registry;
using Oriel.Protocol;

namespace Oriel.Server.Http;

/// <summary>What a route's <c>{id}</c> names, as a handler's parameter; see <see cref="DesktopRoutes"/>.</summary>
internal interface IDesktopRoute
{
    /// <summary>The id as it was given, where it names nothing; else null.</summary>
    string? Unknown { get; }
}

/// <summary>The desktop that a route's <c>{id}</c> names.</summary>
internal sealed class RouteDesktop : IDesktopRoute
{
    private readonly Desktop? _desktop;

    private RouteDesktop(Desktop? desktop, string id) => (_desktop, Unknown) = (desktop, desktop is null ? id : null);

    public string? Unknown { get; }

    public Desktop Desktop => _desktop ?? throw DesktopRoutes.NotFiltered();

    /// <summary>Called by the framework by this name and shape (ASP.NET Core, minimal APIs, custom binding).</summary>
    public static ValueTask<RouteDesktop?> BindAsync(HttpContext context)
    {
        var desktops = context.RequestServices.GetRequiredService<DesktopService>();
        var (id, text) = DesktopRoutes.Read(context);
        return new(new RouteDesktop(id is { } known && desktops.TryGet(known, out var found) ? found : null, text));
    }
}

/// <summary>The id in a route, of a desktop that may not exist: for streaming, which says itself what became of one.</summary>
internal sealed class RouteDesktopId : IDesktopRoute
{
    private readonly DesktopId? _id;

    private RouteDesktopId(DesktopId? id, string text) => (_id, Unknown) = (id, id is null ? text : null);

    public string? Unknown { get; }

    public DesktopId Id => _id ?? throw DesktopRoutes.NotFiltered();

    /// <summary>As <see cref="RouteDesktop.BindAsync"/>.</summary>
    public static ValueTask<RouteDesktopId?> BindAsync(HttpContext context)
    {
        var (id, text) = DesktopRoutes.Read(context);
        return new(new RouteDesktopId(id, text));
    }
}

/// <summary>
/// The routes of one desktop: <c>/api/desktops/{id}</c> and below. A handler only runs where its <see cref="IDesktopRoute"/> is known;
/// else the answer is 404 <c>no-such-desktop</c>.
/// </summary>
internal static class DesktopRoutes
{
    private const int MaxShownId = 64;

    public static RouteGroupBuilder MapDesktopGroup(this IEndpointRouteBuilder app, string tag) =>
        app.MapGroup("/api/desktops/{id}")
            .WithTags(tag)
            .AddEndpointFilter(RefuseUnknownAsync)
            .ProducesProblem(StatusCodes.Status404NotFound)
            .AddOpenApiOperationTransformer(
                (operation, _, _) =>
                {
                    (operation.Parameters ??= []).Insert(
                        0,
                        new OpenApiParameter
                        {
                            Name = "id",
                            In = ParameterLocation.Path,
                            Required = true,
                            Schema = new OpenApiSchema { Type = JsonSchemaType.String },
                        }
                    );
                    return Task.CompletedTask;
                }
            );

    public static (DesktopId? Id, string Text) Read(HttpContext context)
    {
        var text = (string)context.GetRouteValue("id")!;
        return (DesktopId.TryParse(text, null, out var id) ? id : null, text);
    }

    public static InvalidOperationException NotFiltered() => new($"The route is not mapped by {nameof(MapDesktopGroup)}.");

    private static ValueTask<object?> RefuseUnknownAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next) =>
        context.Arguments.OfType<IDesktopRoute>().FirstOrDefault()?.Unknown is { } id
            ? new(Problems.NoSuchDesktop(id[..Math.Min(id.Length, MaxShownId)]))
            : next(context);
}
