using Oriel.Protocol;

namespace Oriel.Server.Http;

/// <summary>Answers for what the server beneath finds wrong with a request while an endpoint reads its body, whichever reads it.</summary>
internal static class UnreadableRequests
{
    public static void UseUnreadableRequests(this IApplicationBuilder app) =>
        app.Use(
            async (context, next) =>
            {
                try
                {
                    await next(context);
                }
                catch (BadHttpRequestException e) when (!context.Response.HasStarted)
                {
                    await Problems.WriteAsync(context, e.StatusCode, ReasonOf(e.StatusCode), e.Message);
                }
                catch (IOException e) when (e.InnerException is OverflowException && !context.Response.HasStarted)
                {
                    // Kestrel's word for a chunk's length that is no number of 32 bits.
                    await Problems.WriteAsync(context, StatusCodes.Status400BadRequest, RequestReasons.BadRequest, e.Message);
                }
            }
        );

    private static string ReasonOf(int status) =>
        status == StatusCodes.Status413PayloadTooLarge ? RequestReasons.TooLarge : RequestReasons.BadRequest;
}
