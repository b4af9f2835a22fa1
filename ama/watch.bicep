// An alert for a program that should run on a machine but does not, an alert for a machine that has gone silent, one for events of
// programs that are missing, and a workbook page. Deploy it into the workspace's resource group. The table must have procline's field
// names.

@description('The Log Analytics workspace, in this resource group.')
param workspaceName string

@description('The programs that must run on each machine: their values in the column name.')
@minLength(1)
param programNames array

@description('Resource ids of the action groups to notify. Without one, an alert is visible in the portal only.')
param actionGroupIds array

@description('The machines that are meant: a regular expression that matches their values in the column Computer.')
param machinePattern string = '.*'

@description('Names of the alerts begin with it. Choose another for a second set of programs and machines.')
param name string = 'procline'

@description('Minutes without a row after which a machine counts as silent.')
@minValue(5)
@maxValue(300)
param silentMinutes int = 15

@description('Whether to alert when events of procline exec are missing.')
param withExec bool = false

param location string = resourceGroup().location

var alertQuery = replace(loadTextContent('alert.kql'), '[\'myapp\']', string(programNames))
var silenceQuery = loadTextContent('alert-host.kql')
var lossQuery = loadTextContent('alert-exec.kql')

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-07-01' existing = {
  name: workspaceName
}

// It never fires for a machine without rows. The other alert does.
resource alert 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = {
  name: '${name}-program'
  location: location
  kind: 'LogAlert'
  properties: {
    displayName: '${name}: a program does not run'
    description: 'A machine had no process of a program in two periods of 10 minutes. Programs: ${join(programNames, ', ')}'
    severity: 2
    enabled: true
    scopes: [workspace.id]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT10M'
    criteria: {
      allOf: [
        {
          query: replace(alertQuery, '.*', machinePattern)
          timeAggregation: 'Maximum'
          metricMeasureColumn: 'Processes'
          resourceIdColumn: '_ResourceId'
          // One alert for each machine and program.
          dimensions: [
            {
              name: 'Computer'
              operator: 'Include'
              values: ['*']
            }
            {
              name: 'Program'
              operator: 'Include'
              values: ['*']
            }
          ]
          operator: 'LessThan'
          threshold: 1
          // One period alone may have some of its rows only, because rows take some minutes to arrive.
          failingPeriods: {
            numberOfEvaluationPeriods: 2
            minFailingPeriodsToAlert: 2
          }
        }
      ]
    }
    autoMitigate: true
    actions: {
      actionGroups: actionGroupIds
    }
    // The query service may not know the table until some minutes after its creation.
    skipQueryValidation: true
  }
}

// It never fires for a machine that has not had rows yet.
resource silence 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = {
  name: '${name}-silent-machine'
  location: location
  kind: 'LogAlert'
  properties: {
    displayName: '${name}: a machine has gone silent'
    description: 'The last process or the last heartbeat of the machine is older than ${silentMinutes} minutes'
    severity: 1
    enabled: true
    scopes: [workspace.id]
    evaluationFrequency: 'PT5M'
    // The window contains the last row of a machine until it has been silent for six hours. Then the alert resolves.
    windowSize: 'PT6H'
    criteria: {
      allOf: [
        {
          query: replace(silenceQuery, '.*', machinePattern)
          timeAggregation: 'Maximum'
          metricMeasureColumn: 'SilentMinutes'
          resourceIdColumn: '_ResourceId'
          // One alert for each machine.
          dimensions: [
            {
              name: 'Computer'
              operator: 'Include'
              values: ['*']
            }
          ]
          operator: 'GreaterThan'
          threshold: silentMinutes
          // The last row of a machine is in one period only, so two periods can never both fail. The minutes are the patience.
          failingPeriods: {
            numberOfEvaluationPeriods: 1
            minFailingPeriodsToAlert: 1
          }
        }
      ]
    }
    autoMitigate: true
    actions: {
      actionGroups: actionGroupIds
    }
    // The query service may not know the table until some minutes after its creation.
    skipQueryValidation: true
  }
}

// The unit procline-exec.service writes such a row when the kernel's queue or its own was full.
resource loss 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = if (withExec) {
  name: '${name}-missing-events'
  location: location
  kind: 'LogAlert'
  properties: {
    displayName: '${name}: events of programs are missing'
    description: 'Programs started or ended on the machine, and they have no rows. The value says how many'
    severity: 2
    enabled: true
    scopes: [workspace.id]
    evaluationFrequency: 'PT15M'
    windowSize: 'PT15M'
    criteria: {
      allOf: [
        {
          query: replace(lossQuery, '.*', machinePattern)
          timeAggregation: 'Total'
          metricMeasureColumn: 'Missing'
          resourceIdColumn: '_ResourceId'
          // One alert for each machine.
          dimensions: [
            {
              name: 'Computer'
              operator: 'Include'
              values: ['*']
            }
          ]
          operator: 'GreaterThan'
          threshold: 0
          failingPeriods: {
            numberOfEvaluationPeriods: 1
            minFailingPeriodsToAlert: 1
          }
        }
      ]
    }
    autoMitigate: true
    actions: {
      actionGroups: actionGroupIds
    }
    // The query service may not know the table until some minutes after its creation.
    skipQueryValidation: true
  }
}

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: guid(workspace.id, 'procline')
  location: location
  kind: 'shared'
  properties: {
    displayName: 'Processes'
    category: 'workbook'
    sourceId: workspace.id
    // Without this id, the page asks for a workspace when it is opened from elsewhere.
    serializedData: replace(loadTextContent('workbook.json'), 'WORKSPACE_ID', workspace.id)
  }
}
