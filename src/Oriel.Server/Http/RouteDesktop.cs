using Microsoft.OpenApi;
using Oriel.Desktops.Loop;
using Oriel.Desktops.Registry;
using Oriel.Protocol;

namespace Oriel.Server.Http;

/// <summary>
/// The desktop that a route's <c>{id}</c> names, as a handler's parameter. In a group of <see cref="MapDesktopGroup"/> a handler
/// only runs when there is such a desktop; else the answer is 404 <c>no-such-desktop</c>.
/// </summary>
internal sealed class RouteDesktop
{
    private const int MaxShownId = 64;

    private readonly Desktop? _desktop;
    private readonly string _id;

    private RouteDesktop(Desktop? desktop, string id) => (_desktop, _id) = (desktop, id);

    public Desktop Desktop =>
        _desktop
        ?? throw new InvalidOperationException($"A route with {nameof(RouteDesktop)} must be mapped by {nameof(MapDesktopGroup)}.");

    /// <summary>Called by the framework by this name and shape (ASP.NET Core, minimal APIs, custom binding).</summary>
    public static ValueTask<RouteDesktop?> BindAsync(HttpContext context)
    {
        var id = (string)context.GetRouteValue("id")!;
        var desktops = context.RequestServices.GetRequiredService<DesktopService>();
        var desktop = DesktopId.TryParse(id, null, out var parsed) && desktops.TryGet(parsed, out var found) ? found : null;
        return new(new RouteDesktop(desktop, id));
    }

    /// <summary>The routes of one desktop: <c>/api/desktops/{id}</c> and below.</summary>
    public static RouteGroupBuilder MapDesktopGroup(IEndpointRouteBuilder app, string tag) =>
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

    private static ValueTask<object?> RefuseUnknownAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next) =>
        context.Arguments.OfType<RouteDesktop>().FirstOrDefault() is { _desktop: null, _id: var id }
            ? new(Problems.NoSuchDesktop(id[..Math.Min(id.Length, MaxShownId)]))
            : next(context);
}
