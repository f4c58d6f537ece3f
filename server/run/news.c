/* server/run/news.c
 *
 * The observer is called outside the run's lock, since it may call the run back. So that it still hears of things in
 * order, one thread at a time hands them out: another that has news leaves them to it. */
#include "server/run/state.h"

#include <stdlib.h>
#include <string.h>

static void news_free(wm_run *run, wm_news *news)
{
    if (news == &run->end_news)
        return;
    free(news->round.contributions);
    free(news);
}

static void add(wm_run *run, wm_news *news)
{
    *run->news_end = news;
    run->news_end = &news->next;
}

static void unheard(wm_run *run)
{
    wm_log_line(run->settings.log, WM_LOG_ERROR, "run", "no memory to tell the run folder what happened");
}

void wm_news_round(wm_run *run, const wm_round_record *round)
{
    wm_news *news = calloc(1, sizeof *news);
    size_t   n = round->n_contributions;

    if (news == NULL || (news->round.contributions = calloc(n + 1, sizeof *round->contributions)) == NULL) {
        free(news);
        unheard(run);
        return;
    }
    wm_contribution *contributions = news->round.contributions;

    memcpy(contributions, round->contributions, n * sizeof *contributions);
    news->round = *round;
    news->round.contributions = contributions;
    add(run, news);
}

void wm_news_closed(wm_run *run)
{
    run->end_news = (wm_news){ .closed = true };
    add(run, &run->end_news);
}

static wm_news *take(wm_run *run)
{
    wm_news *news = run->news;

    if (news == NULL)
        return NULL;
    run->news = news->next;
    if (run->news == NULL)
        run->news_end = &run->news;
    return news;
}

void wm_news_deliver(wm_run *run)
{
    const wm_run_observer *observer = &run->settings.observer;

    pthread_mutex_lock(&run->lock);
    if (run->delivering) {
        pthread_mutex_unlock(&run->lock);
        return;
    }
    run->delivering = true;
    while (!run->dead && (run->news != NULL || run->changed)) {
        wm_news    *news = take(run);
        bool        changed = run->changed && run->news == NULL; /* last, when all is told */
        wm_standing standing = *wm_engine_standing(run->engine);

        run->changed = run->changed && !changed;
        pthread_mutex_unlock(&run->lock);
        if (news != NULL && news->closed && observer->closed != NULL)
            observer->closed(observer->context, &standing, run->final); /* final changes no more */
        if (news != NULL && !news->closed && observer->round_done != NULL)
            observer->round_done(observer->context, &news->round);
        if (changed && observer->changed != NULL)
            observer->changed(observer->context);
        if (news != NULL)
            news_free(run, news);
        pthread_mutex_lock(&run->lock);
    }
    run->delivering = false;
    pthread_mutex_unlock(&run->lock);
}

void wm_news_release(wm_run *run)
{
    for (wm_news *news = take(run); news != NULL; news = take(run))
        news_free(run, news);
}
