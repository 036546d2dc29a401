namespace Oriel.Server.Http;

/// <summary>
/// Answers HEAD as GET without its content (RFC 9110 section 9.3.2), for every route. The server beneath leaves the content out, since it
/// goes by the method that it read itself.
/// </summary>
internal static class HeadRequests
{
    private static readonly object Mark = new();

    public static void UseHeadRequests(this IApplicationBuilder app) =>
        app.Use(
            (context, next) =>
            {
                if (HttpMethods.IsHead(context.Request.Method))
                {
                    context.Request.Method = HttpMethods.Get;
                    context.Items[Mark] = Mark;
                }

                return next(context);
            }
        );

    /// <summary>Where an answer says that it allows GET, it allows HEAD as well.</summary>
    public static void AllowHead(this HttpResponse response)
    {
        if (response.Headers.Allow.ToString() is var allowed && allowed.Split(", ").Contains(HttpMethods.Get))
        {
            response.Headers.Allow = $"{allowed}, {HttpMethods.Head}";
        }
    }

    /// <summary>For an answer that is long, or has no end: nobody would read it.</summary>
    public static bool WantsHeadOnly(this HttpContext context) => context.Items.ContainsKey(Mark);
}
