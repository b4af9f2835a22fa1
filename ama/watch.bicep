// An alert for a program that should run on a machine but does not, an alert for a machine that has gone silent, and a workbook
// page. Deploy it into the workspace's resource group. The table must have procline's field names.

@description('The Log Analytics workspace, in this resource group.')
param workspaceName string

@description('The program that must run on each machine: its value in the column name.')
param programName string

@description('Minutes without a heartbeat after which a machine counts as silent.')
@minValue(5)
@maxValue(300)
param silentMinutes int = 15

@description('Resource ids of the action groups to notify.')
param actionGroupIds array = []

param location string = resourceGroup().location

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-07-01' existing = {
  name: workspaceName
}

resource alert 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = {
  name: 'procline-${programName}'
  location: location
  kind: 'LogAlert'
  properties: {
    displayName: '${programName} does not run'
    description: 'The machine had no process of this name in the snapshots of the last 15 minutes'
    severity: 2
    enabled: true
    scopes: [workspace.id]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT15M'
    criteria: {
      allOf: [
        {
          query: replace(loadTextContent('alert.kql'), 'myapp', programName)
          timeAggregation: 'Maximum'
          metricMeasureColumn: 'AggregatedValue'
          resourceIdColumn: '_ResourceId'
          // One alert for each machine.
          dimensions: [
            {
              name: 'Computer'
              operator: 'Include'
              values: ['*']
            }
          ]
          operator: 'LessThan'
          threshold: 1
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

// It never fires for a machine without rows in ProclineHost_CL.
resource silence 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = {
  name: 'procline-silent-machine'
  location: location
  kind: 'LogAlert'
  properties: {
    displayName: 'A machine has gone silent'
    description: 'The last heartbeat of the machine is older than ${silentMinutes} minutes'
    severity: 1
    enabled: true
    scopes: [workspace.id]
    evaluationFrequency: 'PT5M'
    // The window contains the last heartbeat of a machine until it has been silent for six hours. Then the alert resolves.
    windowSize: 'PT6H'
    criteria: {
      allOf: [
        {
          query: loadTextContent('alert-host.kql')
          timeAggregation: 'Maximum'
          metricMeasureColumn: 'AggregatedValue'
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
    serializedData: loadTextContent('workbook.json')
  }
}
